/* The fake NVRTC's PTX: begins as PTX does, and holds the object itself in letters, two a byte. */
#define FAKE_OBJECT "//fake object "
#define FAKE_PTX    "//\n.version 9.0\n.target fake\n" FAKE_OBJECT
