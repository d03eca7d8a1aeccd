// Package data has sets of pictures and the loader that turns them into batches of pixels.
//
// A [Dataset] is numbered pictures: [Open] takes a folder, a zip, CIFAR-10 or MNIST, [NewDemo] draws some, and a type of
// one's own with three methods is as good. A [Loader] is an endless stream of shuffled batches of one, each of its pictures
// changed by a [Transform]. A [Batch] is bytes, [N, 3, R, R] RGB, which the trainer copies to the device.
//
//	set, err := data.Open("photos/", 64)
//	...
//	loader, err := data.NewLoader(set, data.LoaderOptions{Batch: 16, Seed: 1,
//		Transform: data.Transform{Resolution: 64, Mirror: true}})
//	...
//	for batch, err := range loader.Batches(ctx) {
//		x := torch.FromSlice(s, batch.Pixels, int64(batch.N), 3, 64, 64) // valid until the next batch
//	}
//
// The stream of batches is a function of the seed and the position alone, not of the number of workers, so that a run
// can be repeated, and resumed from a [State]. [LoadImages] decodes whole sets, as files are scored; [Split] divides them
// so that no picture is in two parts.
//
// # Files of others
//
// Files may be anybody's. What a picture or an archive claims is compared with limits before anything is made for it, and a
// [Memory] bounds what several goroutines hold at a time. A picture that cannot be decoded is replaced by the next one and
// told of ([Loader.Broken]); a set of nothing else is an error that wraps [ErrNoImages].
//
// # Goroutines
//
// It is plain Go and never calls libtorch: a thread that once computed with libtorch keeps its own team of worker
// threads, and decoding needs none. A Loader is used by one goroutine and has others decode for it, which end with its
// context. A Dataset is read by several at once.
package data
