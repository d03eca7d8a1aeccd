package torchsave

import (
	"bytes"
	"encoding/binary"
	"io"
)

// legacyMagic is the first pickle of files before torch 1.6: the number 0x1950a86a20f9469cfc6c.
var legacyMagic = []byte("\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")

// kind refuses by name what people hand over by mistake.
func kind(r io.ReaderAt, size int64) error {
	if size <= 0 {
		return malformed("an empty file")
	}
	head := make([]byte, min(size, 512))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return unread("the first bytes", err)
	}
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))))
	switch {
	case bytes.HasPrefix(head, []byte("PK")):
		return nil
	case len(head) > 2 && bytes.HasPrefix(head[2:], legacyMagic):
		return malformed("the format of torch before 1.6; save it again with a newer one: torch.save(torch.load(old), new)")
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return malformed("a tar file, or the format of torch before 0.1.10")
	case len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) < 100<<20:
		return malformed("a safetensors file, not one of torch.save")
	case head[0] == 0x80:
		return malformed("a bare pickle, not a file of torch.save")
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		return malformed("a Git LFS pointer: the file itself was not downloaded (git lfs pull)")
	case bytes.HasPrefix(text, []byte("<!doctype")), bytes.HasPrefix(text, []byte("<html")):
		return malformed("a web page, not a checkpoint: download the file itself")
	}
	return malformed("neither a TorchScript archive nor a checkpoint of torch.save: not a zip archive")
}
