// Package hub fetches the published TIGAS detector from the Hugging Face hub and manages the folder it is kept in. It
// speaks HTTP and knows files, but neither tensors nor libtorch.
//
//	c := &hub.Client{Cache: cache, HFCache: hfCache, Token: token, UserAgent: "tigas-train/1"}
//	r, err := c.Fetch(ctx, hub.File{}, false) // the published detector
//	...
//	f, err := torchsave.Open(r.Path)
//
// # Look-up
//
// [Client.Fetch] asks the network only for what is not there. It takes the first of
//
//  1. <cache>/best_model.pt
//  2. the snapshot of the wanted revision in <cache>
//  3. the newest best_model.pt anywhere below <cache>, offline also among snapshots of other revisions
//  4. the snapshot of the wanted revision in Hugging Face's own cache, which is only read
//
// which is the order of upstream's Python package. Nobody knows the revision of a file found by 1 or 3, so these two stand
// for the revision "main" of the published repository only.
//
// # Cache
//
// Downloads are laid out as Python's huggingface_hub does it, so that each side finds what the other fetched:
//
//	<cache>/models--H1merka--TIGAS/blobs/ETAG                      the bytes; ETAG.incomplete while they come in
//	<cache>/models--H1merka--TIGAS/snapshots/COMMIT/best_model.pt  -> ../../blobs/ETAG
//	<cache>/models--H1merka--TIGAS/refs/main                       COMMIT
//	<cache>/.locks/models--H1merka--TIGAS/ETAG.lock                held while ETAG is downloaded
//	<cache>/torchscript/*.pt                                       converted detectors, made by the caller
//
// A file gets its final name only after its length and checksum were compared and its bytes were synced. What was cut is
// resumed, by the next try or the next process. Of two processes one downloads and the other waits for it. Nothing is
// written or deleted through a symbolic link that leads out of the cache, and nothing that a server says becomes a path
// before it was checked.
//
// # Errors
//
// Errors have the form "hub: what: fact" on one line and say what to do. errors.Is tells their kinds apart: [ErrOffline],
// [ErrNotFound], [ErrAuth], [ErrRateLimit], [ErrServer], [ErrChecksum], [ErrNetwork], [ErrTooLarge], [ErrBusy]; below them
// are those of the system, such as syscall.ENOSPC and context.Canceled. They name addresses without their queries, and
// never the token.
package hub
