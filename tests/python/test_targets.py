#!/usr/bin/env python3
"""Which target runs, and what the command says where that is not the one asked for, over the fake driver.

PELTON_BIN names the command, PELTON_BUILD the build with the fake driver; without them the test is skipped.
"""
import json
import os
import sys
import unittest

from test_command import BIN, SQUARE, Folder

FAKE = os.path.join(os.environ.get("PELTON_BUILD", ""), "tests", "fake_cuda")
CUDA = ["--target", "cuda", "--device-libraries", FAKE]


class Targets(Folder):
    def setUp(self):
        super().setUp()
        self.model, self.engine = self.write("s.pir", SQUARE), self.path("e.pelton")

    def build(self, *options):
        self.check(0, "build", self.model, "-o", self.engine, "--level", "0", *CUDA, *options)

    def hide_gpus(self):
        """Without --device-libraries the system's driver is found where there is one."""
        devices = json.loads(self.check(0, "devices", "--json").stdout)
        if any(device["target"] == "cuda" and device["usable"] for device in devices):
            self.skipTest("this machine has a GPU")


class Fallbacks(Targets):
    def test_it_is_told(self):
        self.hide_gpus()
        self.build()
        for command in (["run"], ["bench", "--duration", "10ms"], ["bench", "--duration", "10ms", "--concurrency", "1"]):
            result = self.check(0, command[0], self.engine, *command[1:], "--json")
            self.assertEqual(json.loads(result.stdout)["target"], "cpu")
            self.assertIn("pelton: note: the engine was tuned for cuda and runs on cpu instead: no CUDA device: ", result.stderr)
        self.assertIn("(cpu, ", self.check(0, "bench", self.engine, "--duration", "10ms").stdout)
        self.assertEqual(self.check(0, "inspect", self.engine).stderr, "")

    def test_there_is_none_where_a_device_is_asked_for(self):
        self.build()
        tuned = "the engine was tuned for cuda and is asked to run there on device "
        self.check(5, "run", self.engine, "--device-libraries", "/nowhere", "--device", "9", error=tuned + "9: ")
        self.check(5, "run", self.engine, "--device-libraries", FAKE, "--device", "3", error="no CUDA device 3: the driver sees 1")
        self.check(5, "run", self.engine, "--target", "cuda", "--device", "9", error="no CUDA device")
        self.check(2, "run", self.engine, "--target", "gpu", error="no target 'gpu'; it has cpu, cuda")
        self.check(4, "run", self.model, "--target", "gpu", error="no target 'gpu'; it has cpu, cuda")
        self.check(5, "run", self.model, "--device", "5", error="target cpu has one device, 0: there is no device 5")

    def test_a_mistyped_folder(self):
        self.hide_gpus()
        self.build()
        self.check(5, "run", self.engine, "--device-libraries", "/nowhere", error="with libraries in '/nowhere': no CUDA device")

    def test_what_runs_is_named(self):
        self.build()
        libraries = ["--device-libraries", FAKE]
        result = self.check(0, "run", self.engine, *libraries, "--json")
        self.assertEqual((json.loads(result.stdout)["target"], result.stderr), ("cuda", ""))
        told = json.loads(self.check(0, "bench", self.engine, *libraries, "--duration", "10ms", "--json").stdout)
        self.assertEqual(told["target"], "cuda")
        self.assertGreater(told["device_bytes"], 0)
        self.assertIn("(cuda, ", self.check(0, "bench", self.engine, *libraries, "--duration", "10ms").stdout)


class Options(Targets):
    def test_instruction_sets_are_of_their_target(self):
        self.check(2, "run", self.model, *CUDA, "--cpu-isa", "avx2", error="'avx2' is an instruction set of CPUs, the target is cuda")
        self.check(2, "run", self.model, "--cpu-isa", "sm_80", error="'sm_80' is a capability of GPUs, the target is cpu")
        for isa in "sm_60", "sm_100":
            self.check(2, "run", self.model, *CUDA, "--cpu-isa", isa, error=f"cannot be used as '{isa}'")
        self.check(2, "run", self.model, *CUDA, "--cpu-isa", "foo", error="sm_70")
        self.check(0, "run", self.model, *CUDA, "--cpu-isa", "sm_80", "--level", "0")

    def test_what_an_engine_makes_no_use_of(self):
        self.build()
        self.check(2, "run", self.model, *CUDA, "--strict", error="strict is given without a precision")
        result = self.check(0, "run", self.engine, *CUDA, "--strict", "--level", "2")
        self.assertIn("note: " + self.engine + " is built already, so that nothing comes of --strict, --level", result.stderr)
        result = self.check(0, "run", self.model, "--input-range", "x=-1:1", "--level", "0")
        self.assertIn("note: nothing comes of --input-range without --precision", result.stderr)
        self.assertIn("nothing comes of --device-libraries", self.check(0, "run", self.model, "--device-libraries", FAKE).stderr)

    def test_devices_are_read_before_any_work(self):
        missing = self.path("missing.pir")  # would be told by whatever looks at the model
        for text in "-1", "99999999999999999999", "4294967296", "a", "0-1", "ALL", "0,-1", "all,0", "0,", "+1", "1024":
            result = self.check(2, "bench", missing, *CUDA, "--devices=" + text, error=f"--devices {text}: '")
            self.assertIn("is no device; give numbers from 0 to 1023 with commas between, or all", result.stderr)
        self.check(2, "bench", missing, *CUDA, "--devices", "0,0", error="device 0 is named twice")
        self.check(2, "bench", missing, *CUDA, "--devices", "0,1", "--device", "1", error="--device 1 and --devices 0,1: give one of them")
        self.check(2, "bench", missing, *CUDA, "--concurrency", "0", error="'0' is no number of requests; give numbers from 1 to 4096")
        self.check(2, "bench", missing, "--devices", "1", error="target cpu has one device, 0: there is no device 1")
        self.check(5, "bench", self.model, *CUDA, "--devices", "0,7", error="no CUDA device 7: the driver sees")

    def test_options_of_a_server_and_those_without_one(self):
        missing = self.path("missing.pir")
        for options in ["--streams", "1"], ["--on-device"], ["--layers"], ["--runs", "3"]:
            self.check(2, "bench", missing, "--devices", "0", *options, error=options[0] + " is about measuring without a server")
        for options in ["--retries", "1"], ["--contexts", "2"], ["--pinned"]:
            self.check(2, "bench", missing, *options, error=options[0] + " is about serving: give --devices or --concurrency")
        self.check(2, "bench", missing, *CUDA, "--devices", "0", "--lose-device", "1", error="device 1 does not serve, --devices is 0")
        self.check(2, "bench", missing, *CUDA, "--devices", "all", "--lose-device", "1:fire", error="N, N:trap or N:reset")
        self.check(2, "bench", missing, "--lose-device", "0", error="only devices of the target cuda")
        self.check(2, "bench", self.model, *CUDA, "--level", "0", "--devices", "all", "--lose-device", "7", error="device 7 does not serve")

    def test_steps_without_limits(self):
        """The driver alone cannot compile what measures the device; an engine's kernels it has."""
        self.build()
        os.mkdir(self.path("alone"))
        os.symlink(os.path.join(FAKE, "libcuda.so.1"), self.path("alone", "libcuda.so.1"))
        options = ["--target", "cuda", "--device-libraries", self.path("alone"), "--duration", "10ms", "--layers"]
        result = self.check(0, "bench", self.engine, *options)
        self.assertIn("so no step has a limit", result.stderr)
        self.assertNotIn("of the limit", result.stdout)
        layers = json.loads(self.check(0, "bench", self.engine, *options, "--json").stdout)["layers"]
        self.assertEqual([(step["limit_us"], step["percent_of_limit"]) for step in layers], [(None, None)])

    def test_servers_name_their_devices(self):
        value = json.loads(self.check(0, "bench", self.model, *CUDA, "--level", "0", "--devices", "0", "--duration", "10ms", "--json").stdout)
        self.assertEqual([device["name"] for device in value["server"]["devices"]], ["Fake GPU"])


if __name__ == "__main__":
    if not BIN or not os.path.exists(os.path.join(FAKE, "libcuda.so.1")):
        print("skipped: PELTON_BIN is not set, or the fake driver is not built")
        sys.exit(77)
    unittest.main()
