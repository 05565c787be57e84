# What the scripts of this folder begin with; they source it in the repository's root.
#   build_pelton OUT TARGET...   builds under build/device; what went wrong is printed, the rest in OUT/build.log
#   $pelton, $libraries          the command, and the folders of CUDA's libraries
#   generate MODEL BATCH FILE [half|distinct]   a network by $generator; half: in f16; distinct: and no two weights equal
start=$SECONDS
pelton=build/device/pelton

build_pelton() {
  local out=$1
  shift
  { cmake -S . -B build/device -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo && ninja -C build/device "$@"; } >"$out/build.log" 2>&1 ||
    { tail -30 "$out/build.log"; exit 1; }
}

# The libraries of Python packages, where the system has none.
libraries=$(python3 - <<'P'
import glob, sys, sysconfig, os
print(":".join(sorted({os.path.dirname(f) for p in (sysconfig.get_path("purelib"), *sys.path) if p for n in
      ("libcudnn.so.9", "libcublasLt.so.1[23]", "libnvrtc.so.1[23]") for f in glob.glob(p + "/nvidia/**/" + n, recursive=True)})))
P
)

generate() {
  [[ -f $3 ]] && return
  case ${4:-} in
  half | distinct) python3 "$generator" "$1" --batch "$2" -o "$3.full" && python3 bench/half.py "$3.full" "$3" ${4/half/}; rm -f "$3.full" ;;
  *) python3 "$generator" "$1" --batch "$2" -o "$3" ;;
  esac
}
