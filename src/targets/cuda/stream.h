/* Memory, copies, streams and recordings, as the target offers them: target/target.h says what each does. */
#ifndef PN_TARGETS_CUDA_STREAM_H
#define PN_TARGETS_CUDA_STREAM_H

#include "targets/cuda/cuda.h"

/* As pn_cuda_check, for pinned memory of |bytes| bytes: what runs out then is the host's. */
pelton_status pn_cuda_check_pinned(const pn_device *device, int error, size_t bytes, pelton_diag *diag) PN_CHECKED;

/* ---- memory.c */

pelton_status pn_cuda_memory_alloc(pn_device *device, size_t bytes, const char *what, void **out,
                                   pelton_diag *diag) PN_CHECKED;
void pn_cuda_memory_release(pn_device *device, void *memory);
pelton_status pn_cuda_memory_is_device(const pn_device *device, const void *pointer, size_t bytes, bool *out,
                                       pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_host_alloc(pn_device *device, size_t bytes, void **out, pelton_diag *diag) PN_CHECKED;
void pn_cuda_host_release(pn_device *device, void *memory);
pelton_status pn_cuda_upload(pn_stream *s, void *to, const void *from, size_t bytes, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_download(pn_stream *s, void *to, const void *from, size_t bytes, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_copy(pn_stream *s, void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t bytes,
                           size_t rows, pelton_diag *diag) PN_CHECKED;

/* ---- stream.c */

void pn_cuda_stream_release(pn_stream *s);
pelton_status pn_cuda_stream_create(pn_device *device, pn_stream **out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_stream_synchronize(pn_stream *s, pelton_diag *diag) PN_CHECKED;
uint32_t pn_cuda_stream_fault(pn_stream *s);
pelton_status pn_cuda_stream_lend(pn_stream *s, void *native, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_stream_return(pn_stream *s, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_timer_start(pn_stream *s, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_timer_stop(pn_stream *s, double *seconds, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_record_begin(pn_stream *s, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_record_end(pn_stream *s, pn_recording **out, pelton_diag *diag) PN_CHECKED;
pelton_status pn_cuda_recording_play(pn_stream *s, pn_recording *recording, pelton_diag *diag) PN_CHECKED;
void pn_cuda_recording_release(pn_device *device, pn_recording *recording);

#endif
