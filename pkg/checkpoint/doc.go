// Package checkpoint is the run folder and the snapshots in it.
//
//	runs/00003-gan-demo/
//	    config.json                          what was run, enough to build the networks again
//	    log.jsonl                            one object for each tick
//	    samples/reals.png, fakes000200.064.png   pictures, by thousands of images
//	    snapshots/network-snapshot-000200.064.safetensors
//	    snapshots/manifest.json              their sizes and checksums: what is not in it is not there
//	    lock                                 of the one process that writes
//
// A [Run] is such a folder: [CreateNext] makes the next one, [Open] opens one that is there. A [Snapshot] is a file of
// tensors as the manifest has it, [Retention] says which of them stay.
//
//	run, err := checkpoint.CreateNext("runs", "gan-demo")
//	...
//	err = run.WriteConfig(options)
//	err = run.Save(checkpoint.Snapshot{Step: 3200, Images: 204_800}, nn.StateDict(net), nil, checkpoint.Retention{Last: 3})
//	path, err := run.Latest() // the newest one that is what was written
//	tensors, meta, err := checkpoint.Load(root, path, torch.CPU)
//
// A snapshot is complete on disk before the manifest names it, and the manifest is before an older snapshot goes: a crash or
// a full disk at any moment leaves what was there. Files are safetensors, which PyTorch reads too; [Load] reads those of
// others.
//
// Everything here returns errors; [ErrExists], [ErrLocked] and [ErrDamaged] are for errors.Is. Tensors that are loaded
// belong to the scope that is given. A Run is used by one goroutine at a time; [Run.Lock] keeps other processes from
// writing into it.
package checkpoint
