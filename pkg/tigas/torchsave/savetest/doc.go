// Package savetest writes files as Python's torch.save does, for tests: bare state dicts, the checkpoints of TIGAS's
// trainer, and files that no torch would write. It shares no code with the reader, package torchsave.
//
//	weights := []savetest.Tensor{{Name: "head.weight", Shape: []int64{2, 3}, Data: data}}
//	err := savetest.WriteFile(path, savetest.Trainer(weights, savetest.TrainerOptions{Epoch: 3}))
//
// The archive has the layout of torch 1.13: nothing compressed, each record aligned to 64 bytes, sizes and checksums
// behind the data. The bytes of a tensor are not copied, and a [Tensor] without data is written as zeros, so that a file
// of some hundred megabytes takes the time of its checksum and no memory. Files of more than 4 GB are refused.
package savetest
