package tigas

import (
	_ "embed"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// The detector for the demo data and the tests, made by `make detector`; docs/detector.md says what it is and is not.
//
//go:embed embedded.pt
var embedded []byte

// embeddedSize is the size of the demo pictures that it was trained on.
const embeddedSize = 32

// Embedded opens the small detector that is part of the program. It was trained on the demo data: for other images it is
// no substitute for a real detector.
func Embedded(s *torch.Scope, o OpenOptions) (*Detector, error) {
	if o.Height == 0 {
		o.Height = embeddedSize
	}
	return OpenBytes(s, embedded, "embedded", o)
}
