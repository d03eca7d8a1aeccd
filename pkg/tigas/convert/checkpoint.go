package convert

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave"
)

// DefaultImageSize is what upstream scales files to when a checkpoint does not say.
const DefaultImageSize = 256

// Checkpoint is an open file whose network has been found. Its weights are read by [Checkpoint.Module].
type Checkpoint struct {
	network.Found
	ImageSize int      // of save_model's files; DefaultImageSize in others
	Epoch     *int64   // of trainers' files, counted from 0; nil in others
	Others    []string // what else is in the file, such as optimizer_state_dict; it is not read

	name    string // without folders
	file    *torchsave.File
	tensors map[string]*torchsave.Tensor
}

// Open opens the checkpoint at path; the caller must close it.
//
// The error says what the file is instead, or wraps a [network.KeyError] that lists the tensors that do not fit. A
// TorchScript archive is no checkpoint: errors.Is(err, [torchsave.ErrTorchScript]).
func Open(path string) (*Checkpoint, error) {
	f, err := torchsave.Open(path)
	if err != nil {
		return nil, named(path, err)
	}
	c := &Checkpoint{file: f, name: filepath.Base(path)}
	if err = c.find(); err != nil {
		f.Close()
		return nil, named(path, err)
	}
	return c, nil
}

// NewReader is [Open] for size bytes of r, which must stay as it is. name stands for the path.
func NewReader(r io.ReaderAt, size int64, name string) (*Checkpoint, error) {
	f, err := torchsave.NewReader(r, size)
	if err != nil {
		return nil, named(name, err)
	}
	c := &Checkpoint{file: f, name: filepath.Base(name)}
	return c, named(name, c.find())
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.file.Close() }

// Tensors is the number of tensors in the state dict.
func (c *Checkpoint) Tensors() int { return len(c.tensors) }

// find looks for the state dict, and in it for the network.
func (c *Checkpoint) find() error {
	root, ok := c.file.Root().(*torchsave.Dict)
	if !ok {
		return fmt.Errorf("got %s vs a dict of weights", kind(c.file.Root()))
	}
	dict, err := c.stateDict(root)
	if err != nil {
		return err
	}
	if c.tensors, err = tensorsOf(dict); err != nil {
		return err
	}
	state := make(network.State, len(c.tensors))
	for name, t := range c.tensors {
		state[name] = t.Shape
	}
	found, err := network.Infer(state)
	if err != nil {
		return err
	}
	c.Found = *found
	return c.checkTypes()
}

// stateDict finds the weights among what a file holds: under the names that trainers use, or the file is nothing else.
func (c *Checkpoint) stateDict(root *torchsave.Dict) (*torchsave.Dict, error) {
	c.ImageSize = DefaultImageSize
	for _, key := range []string{"model_state_dict", "state_dict", "model"} {
		v, ok := root.Get(key)
		if !ok {
			continue
		}
		d, ok := v.(*torchsave.Dict)
		if !ok {
			return nil, fmt.Errorf("got %s under %q vs a state dict", kind(v), key)
		}
		for _, it := range root.Items {
			if k, ok := it.Key.(string); ok && k != key && k != "img_size" && k != "epoch" {
				c.Others = append(c.Others, k)
			}
		}
		if n, ok := number(root, "img_size"); ok {
			if n < 1 || n > 1<<14 {
				return nil, fmt.Errorf("got img_size %d vs 1 to %d", n, 1<<14)
			}
			c.ImageSize = int(n)
		}
		if n, ok := number(root, "epoch"); ok {
			c.Epoch = &n
		}
		return d, nil
	}
	return root, nil
}

func number(d *torchsave.Dict, key string) (int64, bool) {
	v, _ := d.Get(key)
	n, ok := v.(int64)
	return n, ok
}

// wrappers are put before every name by what a model was wrapped in while it was trained: DataParallel, torch.compile,
// Lightning.
var wrappers = []string{"module.", "_orig_mod.", "model."}

// mostWrapped is how often; a name of nothing but wrappers would be read again for each of them.
const mostWrapped = 8

func tensorsOf(d *torchsave.Dict) (map[string]*torchsave.Tensor, error) {
	out := make(map[string]*torchsave.Tensor, len(d.Items))
	var odd []string
	for _, it := range d.Items {
		name, ok := it.Key.(string)
		if !ok {
			return nil, fmt.Errorf("got a dict with keys of %s vs a state dict: names and tensors", kind(it.Key))
		}
		t, ok := it.Value.(*torchsave.Tensor)
		if !ok {
			odd = append(odd, fmt.Sprintf("%.80q (%s)", name, kind(it.Value)))
			continue
		}
		out[name] = t
	}
	if len(out) > 0 && len(odd) > 0 {
		slices.Sort(odd)
		return nil, fmt.Errorf("got a state dict with %d value(s) that are no tensors: %s", len(odd), strings.Join(odd[:min(5, len(odd))], ", "))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: got a dict without tensors: want a state dict, or one under model_state_dict", network.ErrNotTIGAS)
	}
	for range mostWrapped {
		for _, w := range wrappers {
			if all(out, w) {
				bare := make(map[string]*torchsave.Tensor, len(out))
				for name, t := range out {
					bare[strings.TrimPrefix(name, w)] = t
				}
				out = bare
			}
		}
	}
	return out, nil
}

func all(m map[string]*torchsave.Tensor, prefix string) bool {
	for name := range m {
		if !strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// kind names a value of a file for an error.
func kind(v torchsave.Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a string"
	case []byte:
		return "bytes"
	case *torchsave.List:
		return "a list"
	case *torchsave.Dict:
		return "a dict"
	case *torchsave.Tensor:
		return "a tensor"
	case *torchsave.Opaque:
		return fmt.Sprintf("an object of %.80q, which is not made", v.Name)
	}
	return fmt.Sprintf("a %T", v)
}

// named puts the path before an error that does not have it yet, in the place of the package that found it.
func named(path string, err error) error {
	if err == nil {
		return nil
	}
	return &fileError{path, err}
}

type fileError struct {
	path string
	err  error
}

func (e *fileError) Error() string {
	s := strings.TrimPrefix(strings.TrimPrefix(e.err.Error(), "torchsave: "), "network: ")
	return "convert: " + e.path + ": " + strings.TrimPrefix(s, e.path+": ")
}

func (e *fileError) Unwrap() error { return e.err }

// checkTypes refuses tensors that hold no numbers of the right kind, and those that show one number many times to claim
// more memory than the file is long.
func (c *Checkpoint) checkTypes() error {
	text, err := c.Arch.Write(network.Options{})
	if err != nil {
		return err
	}
	var total int64
	for _, sp := range text.Specs {
		t := c.tensors[sp.Name]
		if total += t.Bytes(); total > c.file.Size() {
			return errors.New("got tensors that claim more bytes than the file has")
		}
		if isInt := sp.Init == network.Counter; isInt != (t.DType == torchsave.Int64) || !isInt && floats[t.DType] == 0 {
			want := "float32"
			if isInt {
				want = "int64"
			}
			return fmt.Errorf("got %s of %s vs %s", sp.Name, t.DType, want)
		}
	}
	return nil
}
