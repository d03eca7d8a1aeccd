// Package data has sets of pictures and the loader that turns them into batches of pixels.
//
// It is plain Go and never calls libtorch: a thread that once computed with libtorch keeps its own team of worker
// threads, and decoding needs none. A batch is bytes, [N, 3, R, R] RGB, which the trainer copies to the device.
//
// Files may be anybody's. What a picture or an archive claims is compared with limits before anything is made for it, and a
// [Memory] bounds what several goroutines hold at a time.
//
// The stream of batches is a function of the seed and the position alone, not of the number of workers, so that a run
// can be repeated and resumed.
package data
