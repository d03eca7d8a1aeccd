// Package torchsave reads the files that Python's torch.save writes, without Python and without running anything that is
// in them. It knows bytes, types and shapes, but no tensors, and does not use libtorch.
//
// Such a file is a zip archive
//
//	NAME/data.pkl       a pickle: dicts, lists, numbers, and tensors as (storage, offset, sizes, strides)
//	NAME/data/KEY       the bytes of one storage, not compressed
//	NAME/byteorder ...  and a few small records
//
// A pickle is a program that may call any Python function. [Open] runs it on a machine that can only build the values
// listed at [Value]; calls of ordered dicts and tensors are known, everything else becomes an [Opaque] that remembers its
// name. Storages are read when [File.Read] asks for them, so that the two thirds of a trainer's file that belong to the
// optimizer cost nothing.
//
// Open checks what a file claims before anything is allocated for it: lengths against the bytes that are left, tensors
// against the bounds of their storages, and the machine's own work against a budget. No file, whatever is in it, makes it
// take more memory than twice the file's size and 64 MB. Reading verifies the archive's checksums.
//
// Errors have the form "torchsave: path: fact" on one line. errors.Is tells a malformed file ([ErrFormat]) from one that
// cannot be read.
package torchsave
