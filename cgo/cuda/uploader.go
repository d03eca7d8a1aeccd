package cuda

import (
	"fmt"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// Uploader turns batches of bytes into tensors on a device, so that the copy of one batch runs beside the work on the one
// before: two pinned buffers, a stream of its own, and an event for each buffer.
//
//	up, err := cuda.NewUploader(s, device, torch.Uint8, 64, 3, 128, 128) // at most 64 pictures a batch
//	err = up.Put(batch(0))
//	for step := range steps {
//		err = up.Put(batch(step + 1)) // its copy runs while this step computes
//		err = s.Scoped(func(in *torch.Scope) error {
//			x, err := up.Take(in)
//			...
//		})
//	}
//
// Batches come out in the order in which they went in. On the CPU it is a plain copy. It is used by one goroutine, the one
// that computes; bytes are decoded elsewhere.
type Uploader struct {
	via        carrier
	row, most  int64 // bytes of one row; rows of a whole batch
	put, taken int
	sent       [2]*torch.Tensor
}

// carrier is what an Uploader needs of a device. Its two places are numbered 0 and 1.
type carrier interface {
	// buffer waits until nothing reads place i any more, and returns its bytes.
	buffer(i int) ([]byte, error)
	// send begins the copy of the first rows of place i.
	send(i int, rows int64) (*torch.Tensor, error)
	// receive makes the caller's current stream wait for what send(i) began, and moves t to s.
	receive(i int, s *torch.Scope, t *torch.Tensor) error
}

// NewUploader returns an uploader for batches of this type and shape, whose first number is the most rows that a batch may
// have. Its buffers belong to s. It returns an error for a shape without elements, for [torch.Bool], whose bytes nobody
// would check, and the errors of [NewPinned].
func NewUploader(s *torch.Scope, d torch.Device, dtype torch.DType, shape ...int64) (*Uploader, error) {
	const op = "NewUploader"
	if dtype == torch.Bool {
		return nil, &cudaError{text: op + ": got bool vs a type whose bytes may be any: send uint8 and compare on the device"}
	}
	row := int64(dtype.Size())
	for i, n := range shape {
		if n < 1 || n > 1<<40 || row > 1<<40/n {
			return nil, &cudaError{text: fmt.Sprintf("%s: got shape %v vs numbers from 1", op, shape)}
		}
		if i > 0 {
			row *= n
		}
	}
	if len(shape) == 0 || row > 1<<40/shape[0] {
		return nil, &cudaError{text: fmt.Sprintf("%s: got shape %v vs at least one number, and at most 2^40 bytes", op, shape)}
	}
	via, err := newCarrier(s, d, dtype, shape)
	if err != nil {
		return nil, err
	}
	return &Uploader{via: via, row: row, most: shape[0]}, nil
}

// Put copies the bytes of a batch, whole rows, and begins its way to the device. It waits for the copy of the batch before
// the previous one, which mostly is done long since; data can be used again at once. It returns an error when two batches
// have not been taken yet, or the bytes are no whole rows or too many.
func (u *Uploader) Put(data []byte) error {
	rows := int64(len(data)) / u.row
	if rows*u.row != int64(len(data)) {
		return &cudaError{text: fmt.Sprintf("Uploader.Put: got %d bytes vs rows of %d", len(data), u.row)}
	}
	return u.PutFrom(rows, func(dst []byte) error {
		copy(dst, data)
		return nil
	})
}

// PutFrom is [Uploader.Put] of bytes that fill writes straight into the buffer, which saves a copy. The buffer has what it
// had before, so fill must write all of it; it must not keep it. An error of fill is returned as it is, and there is no
// batch then.
func (u *Uploader) PutFrom(rows int64, fill func(dst []byte) error) error {
	const op = "Uploader.Put"
	if rows < 1 || rows > u.most {
		return &cudaError{text: fmt.Sprintf("%s: got %d rows vs 1 to %d", op, rows, u.most)}
	}
	if u.Waiting() == 2 {
		return &cudaError{text: op + ": got a third batch before one was taken"}
	}
	i := u.put % 2
	dst, err := u.via.buffer(i)
	if err != nil {
		return err
	}
	if err := fill(dst[:rows*u.row]); err != nil {
		return err
	}
	t, err := u.via.send(i, rows)
	if err != nil {
		return err
	}
	u.sent[i] = t
	u.put++
	return nil
}

// Take returns the batch that was put first, as a tensor of s. What is queued on the current stream from now on begins
// after its copy; the host does not wait. It returns an error when nothing was put.
func (u *Uploader) Take(s *torch.Scope) (*torch.Tensor, error) {
	torch.CheckScope(s, "cuda.Uploader.Take")
	if u.Waiting() == 0 {
		return nil, &cudaError{text: "Uploader.Take: got no batch: Put comes first"}
	}
	i := u.taken % 2
	t := u.sent[i]
	if err := u.via.receive(i, s, t); err != nil {
		return nil, err
	}
	u.sent[i] = nil
	u.taken++
	return t, nil
}

// Waiting is the number of batches that were put and not taken: 0, 1 or 2.
func (u *Uploader) Waiting() int { return u.put - u.taken }
