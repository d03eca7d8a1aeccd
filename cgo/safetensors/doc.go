// Package safetensors reads and writes the safetensors file format. It knows bytes, types and shapes, but no tensors,
// and does not use libtorch.
//
// A file is
//
//	8 bytes      length of the header, unsigned, little endian
//	header       JSON: {"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}, ...}, padded with spaces
//	data         the entries' bytes one after the other, row-major, little endian
//
// where the offsets count from the start of the data, and an optional member "__metadata__" of the header maps strings
// to strings.
//
// [Open] checks a whole header before anything else happens: a file that it accepts has non-overlapping entries that
// fill the data exactly, each as large as its type and shape say. So a truncated, padded or forged file is an error at
// once, and never more memory is asked for than the file is long. The values of the data are not looked at.
//
// [WriteFile] replaces a file in one step: whatever goes wrong, the old file is still there.
//
// Errors have the form "safetensors: path: fact" on one line. errors.Is tells a malformed file ([ErrFormat]) from one
// that cannot be read or written.
package safetensors
