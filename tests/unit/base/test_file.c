/* Mapping, files beneath a folder, and the atomic writer, in a folder of the test's own. */
#define _GNU_SOURCE 1 /* mkdtemp, symlink */
#include "harness.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[4096];

static const char *path_of(const char *name) {
  static char paths[4][4200];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void folder_make(void) {
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/pelton-file-XXXXXX", base && *base ? base : "/tmp");
  REQUIRE(mkdtemp(folder) != NULL);
}

static void folder_remove(void) {
  char command[4200];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  EXPECT_EQ(system(command), 0);
}

static void file_put(const char *path, const char *text) {
  FILE *file = fopen(path, "wb");
  REQUIRE(file != NULL);
  EXPECT_EQ(fwrite(text, 1, strlen(text), file), strlen(text));
  EXPECT_EQ(fclose(file), 0);
}

static int entries_count(void) {
  int count = 0;
  DIR *dir = opendir(folder);
  REQUIRE(dir != NULL);
  while (readdir(dir)) count++;
  closedir(dir);
  return count - 2;
}

TEST(maps) {
  folder_make();
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_file file;
  file_put(path_of("a"), "content");
  REQUIRE_OK(pn_file_map(path_of("a"), &file, &diag), &diag);
  EXPECT_EQ(file.size, 7);
  EXPECT(file.data && !memcmp(file.data, "content", 7));
  pn_file_unmap(&file);
  EXPECT(file.data == NULL && file.size == 0);
  pn_file_unmap(&file);
  file_put(path_of("empty"), "");
  REQUIRE_OK(pn_file_map(path_of("empty"), &file, &diag), &diag);
  EXPECT(file.data == NULL && file.size == 0);
  pn_file_unmap(&file);

  EXPECT_EQ(pn_file_map(path_of("absent"), &file, &diag), PELTON_IO_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "absent");
  EXPECT_HAS(pelton_diag_message(&diag, 0), "No such file");
  EXPECT_EQ(pn_file_map(folder, &file, &diag), PELTON_IO_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 1), "folder");
  REQUIRE(mkfifo(path_of("pipe"), 0600) == 0);
  EXPECT_EQ(pn_file_map(path_of("pipe"), &file, &diag), PELTON_IO_ERROR); /* and does not wait for a writer */
  EXPECT_HAS(pelton_diag_message(&diag, 2), "no regular file");
  EXPECT_EQ(pn_file_map("/dev/zero", &file, &diag), PELTON_IO_ERROR);
  folder_remove();
}

static pelton_status beneath(const char *relative) {
  pn_file file;
  pelton_status status = pn_file_map_beneath(path_of("model"), relative, &file, NULL);
  if (!status) {
    EXPECT(file.size == 6 && !memcmp(file.data, "inside", 6));
    pn_file_unmap(&file);
  } else {
    EXPECT(file.data == NULL);
  }
  return status;
}

TEST(beneath_a_folder) {
  folder_make();
  REQUIRE(!mkdir(path_of("model"), 0700) && !mkdir(path_of("model/sub"), 0700) && !mkdir(path_of("model2"), 0700));
  file_put(path_of("secret"), "outside");
  file_put(path_of("model2/secret"), "outside");
  file_put(path_of("model/w"), "inside");
  file_put(path_of("model/sub/w"), "inside");
  file_put(path_of("model/..w"), "inside");
  EXPECT_EQ(beneath("w"), PELTON_OK);
  EXPECT_EQ(beneath("./w"), PELTON_OK);
  EXPECT_EQ(beneath("sub/w"), PELTON_OK);
  EXPECT_EQ(beneath("sub//w"), PELTON_OK);
  EXPECT_EQ(beneath("..w"), PELTON_OK); /* only a name */

  EXPECT_EQ(beneath(""), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath("../secret"), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath("sub/../w"), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath("sub/.."), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath(".."), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath(path_of("model/w")), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath("absent"), PELTON_IO_ERROR);
  EXPECT_EQ(beneath("sub"), PELTON_IO_ERROR);
  EXPECT_EQ(beneath("."), PELTON_IO_ERROR);
  EXPECT_EQ(beneath("w/w"), PELTON_IO_ERROR);

  /* Links: those that stay inside are followed, in the last and in a middle component. */
  REQUIRE(!symlink("sub/w", path_of("model/inner")) && !symlink("sub", path_of("model/inner_folder")));
  REQUIRE(!symlink("../secret", path_of("model/outer")) && !symlink("..", path_of("model/sub/up")));
  REQUIRE(!symlink("../model2", path_of("model/sibling")) && !symlink("/etc/passwd", path_of("model/absolute")));
  EXPECT_EQ(beneath("inner"), PELTON_OK);
  EXPECT_EQ(beneath("inner_folder/w"), PELTON_OK);
  EXPECT_EQ(beneath("sub/up/w"), PELTON_OK);
  EXPECT_EQ(beneath("outer"), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath("absolute"), PELTON_INVALID_DATA);
  EXPECT_EQ(beneath("sibling/secret"), PELTON_INVALID_DATA); /* "model" is only the beginning of its name */
  REQUIRE(!symlink("loop", path_of("model/loop")));
  EXPECT_EQ(beneath("loop"), PELTON_IO_ERROR);

  /* The folder itself may be a link. */
  REQUIRE(!symlink("model", path_of("alias")));
  pn_file file;
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE_OK(pn_file_map_beneath(path_of("alias"), "sub/w", &file, &diag), &diag);
  pn_file_unmap(&file);
  EXPECT_EQ(pn_file_map_beneath(path_of("nowhere"), "w", &file, &diag), PELTON_IO_ERROR);
  char longest[5000];
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  EXPECT_EQ(beneath(longest), PELTON_INVALID_DATA);
  folder_remove();
}

TEST(writes) {
  folder_make();
  static pn_file_writer writer;
  pelton_diag diag = PELTON_DIAG_INIT;
  file_put(path_of("out"), "old");
  REQUIRE_OK(pn_file_writer_open(&writer, path_of("out"), &diag), &diag);
  REQUIRE_OK(pn_file_writer_pad(&writer, 64, &diag), &diag);
  EXPECT_EQ(writer.offset, 0);
  REQUIRE_OK(pn_file_writer_add(&writer, "abc", 3, &diag), &diag);
  REQUIRE_OK(pn_file_writer_add(&writer, NULL, 0, &diag), &diag);
  REQUIRE_OK(pn_file_writer_pad(&writer, 16384, &diag), &diag);
  REQUIRE_OK(pn_file_writer_add(&writer, "end", 3, &diag), &diag);
  EXPECT_EQ(writer.offset, 16387);

  pn_file file;
  REQUIRE_OK(pn_file_map(path_of("out"), &file, &diag), &diag); /* readers still see the old one */
  EXPECT_EQ(file.size, 3);
  pn_file_unmap(&file);
  REQUIRE_OK(pn_file_writer_close(&writer, &diag), &diag);
  pn_file_writer_abort(&writer); /* nothing to give up any more */

  REQUIRE_OK(pn_file_map(path_of("out"), &file, &diag), &diag);
  REQUIRE(file.size == 16387);
  EXPECT(!memcmp(file.data, "abc", 3) && !memcmp(file.data + 16384, "end", 3));
  for (size_t i = 3; i < 16384; i++) REQUIRE(file.data[i] == 0);
  pn_file_unmap(&file);
  EXPECT_EQ(entries_count(), 1);

  struct stat info;
  mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(stat(path_of("out"), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0666 & ~mask); /* as any other file, not 0600 */
  folder_remove();
}

TEST(gives_up) {
  folder_make();
  static pn_file_writer writer;
  pelton_diag diag = PELTON_DIAG_INIT;
  file_put(path_of("out"), "old");
  REQUIRE_OK(pn_file_writer_open(&writer, path_of("out"), &diag), &diag);
  REQUIRE_OK(pn_file_writer_add(&writer, "new", 3, &diag), &diag);
  EXPECT_EQ(entries_count(), 2);
  pn_file_writer_abort(&writer);
  pn_file_writer_abort(&writer);
  EXPECT_EQ(entries_count(), 1);

  EXPECT_EQ(pn_file_writer_open(&writer, path_of("no/where"), &diag), PELTON_IO_ERROR);
  EXPECT_HAS(pelton_diag_message(&diag, 0), "no/where");
  pn_file_writer_abort(&writer);
  EXPECT_EQ(pn_file_writer_open(&writer, folder, &diag), PELTON_IO_ERROR);
  EXPECT_EQ(pn_file_writer_open(&writer, "/dev/null", &diag), PELTON_IO_ERROR); /* a rename would replace it */
  EXPECT_EQ(pn_file_writer_open(&writer, "", &diag), PELTON_INVALID_ARGUMENT);
  pn_file_writer_abort(&writer);

  /* A full disk, and a target that turned into a folder meanwhile: the temporary file goes. */
  if (!access("/dev/full", W_OK)) {
    REQUIRE_OK(pn_file_writer_open(&writer, path_of("full"), &diag), &diag);
    int descriptor = writer.descriptor;
    FILE *full = fopen("/dev/full", "wb");
    REQUIRE(full && dup2(fileno(full), descriptor) == descriptor);
    fclose(full);
    EXPECT_EQ(pn_file_writer_add(&writer, "new", 3, &diag), PELTON_IO_ERROR);
    EXPECT_HAS(pelton_diag_message(&diag, diag.count - 1), "No space left");
    pn_file_writer_abort(&writer);
    EXPECT_EQ(entries_count(), 1);
  }
  REQUIRE_OK(pn_file_writer_open(&writer, path_of("late"), &diag), &diag);
  REQUIRE(!mkdir(path_of("late"), 0700));
  EXPECT_EQ(pn_file_writer_close(&writer, &diag), PELTON_IO_ERROR);
  pn_file_writer_abort(&writer);
  EXPECT_EQ(entries_count(), 2);
  folder_remove();
}

TEST(two_writers) {
  folder_make();
  static pn_file_writer a, b;
  pelton_diag diag = PELTON_DIAG_INIT;
  REQUIRE_OK(pn_file_writer_open(&a, path_of("out"), &diag), &diag);
  REQUIRE_OK(pn_file_writer_open(&b, path_of("out"), &diag), &diag);
  REQUIRE_OK(pn_file_writer_add(&a, "a", 1, &diag), &diag);
  REQUIRE_OK(pn_file_writer_add(&b, "bb", 2, &diag), &diag);
  REQUIRE_OK(pn_file_writer_close(&b, &diag), &diag);
  REQUIRE_OK(pn_file_writer_close(&a, &diag), &diag);
  pn_file file;
  REQUIRE_OK(pn_file_map(path_of("out"), &file, &diag), &diag);
  EXPECT_EQ(file.size, 1);
  pn_file_unmap(&file);
  EXPECT_EQ(entries_count(), 1);
  folder_remove();
}

TEST(folder_parts) {
  static const struct {
    const char *path, *folder;
  } cases[] = {
      {"a/b", "a"}, {"b", "."}, {"/b", "/"}, {"//b", "/"}, {"a//b", "a"}, {"/a/b/c", "/a/b"}, {"", "."}, {"./m", "."},
  };
  char out[16];
  for (size_t i = 0; i < PN_COUNT(cases); i++) {
    EXPECT(pn_path_folder(cases[i].path, out, sizeof out));
    EXPECT_STR(out, cases[i].folder);
  }
  EXPECT(!pn_path_folder("abcd/x", out, 4));
  EXPECT(pn_path_folder("abcd/x", out, 5));
  EXPECT(!pn_path_folder("x", out, 1));
}

TEST_MAIN(T(maps), T(beneath_a_folder), T(writes), T(gives_up), T(two_writers), T(folder_parts))
