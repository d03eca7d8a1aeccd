package cuda

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
)

// recorder is a device whose copies are done when the test says so: a buffer that is asked for before that is reported.
type recorder struct {
	scope   *torch.Scope
	buffers [2][]byte
	busy    [2]bool
	log     []string
	fail    string
}

func (r *recorder) note(what string, i int) error {
	call := fmt.Sprintf("%s %d", what, i)
	r.log = append(r.log, call)
	if r.fail == call {
		return errors.New("planted")
	}
	return nil
}

func (r *recorder) buffer(i int) ([]byte, error) {
	if err := r.note("buffer", i); err != nil {
		return nil, err
	}
	if r.busy[i] {
		r.log = append(r.log, fmt.Sprintf("waited for %d", i))
		r.busy[i] = false
	}
	return r.buffers[i], nil
}

func (r *recorder) send(i int, rows int64) (*torch.Tensor, error) {
	if err := r.note("send", i); err != nil {
		return nil, err
	}
	r.busy[i] = true
	return torch.FromSlice(r.scope, r.buffers[i][:rows*2], rows, 2), nil
}

func (r *recorder) receive(i int, s *torch.Scope, t *torch.Tensor) error {
	if err := r.note("receive", i); err != nil {
		return err
	}
	s.Adopt(t)
	return nil
}

func recorded(t *testing.T) (*Uploader, *recorder, *torch.Scope) {
	s := torch.NewScope()
	t.Cleanup(s.Close)
	r := &recorder{scope: s, buffers: [2][]byte{make([]byte, 6), make([]byte, 6)}}
	return &Uploader{via: r, row: 2, most: 3}, r, s
}

func TestUploaderOrder(t *testing.T) {
	u, r, s := recorded(t)
	require.NoError(t, u.Put([]byte{0, 1, 2, 3, 4, 5}))
	for n := range byte(5) {
		require.NoError(t, u.Put([]byte{n + 10, n + 11}))
		require.Equal(t, 2, u.Waiting())
		x, err := u.Take(s)
		require.NoError(t, err)
		want := []byte{n + 9, n + 10}
		if n == 0 {
			want = []byte{0, 1, 2, 3, 4, 5}
		}
		require.Equal(t, want, torch.Slice[uint8](x))
		require.Same(t, s, x.Scope())
	}
	require.Equal(t, []string{"buffer 0", "send 0", "buffer 1", "send 1", "receive 0",
		"buffer 0", "waited for 0", "send 0", "receive 1",
		"buffer 1", "waited for 1", "send 1", "receive 0",
		"buffer 0", "waited for 0", "send 0", "receive 1",
		"buffer 1", "waited for 1", "send 1", "receive 0"}, r.log)
}

func TestUploaderRefuses(t *testing.T) {
	u, _, s := recorded(t)
	_, err := u.Take(s)
	require.EqualError(t, err, "cuda: Uploader.Take: got no batch: Put comes first")
	require.EqualError(t, u.Put([]byte{1}), "cuda: Uploader.Put: got 1 bytes vs rows of 2")
	require.EqualError(t, u.Put(nil), "cuda: Uploader.Put: got 0 rows vs 1 to 3")
	require.EqualError(t, u.Put(make([]byte, 8)), "cuda: Uploader.Put: got 4 rows vs 1 to 3")
	require.NoError(t, u.Put([]byte{1, 2}))
	require.NoError(t, u.Put([]byte{3, 4}))
	require.EqualError(t, u.Put([]byte{5, 6}), "cuda: Uploader.Put: got a third batch before one was taken")
	closed := torch.NewScope()
	closed.Close()
	require.ErrorIs(t, torch.Try(func() { _, _ = u.Take(closed) }), torch.ErrClosed)
	x, err := u.Take(s)
	require.NoError(t, err)
	require.Equal(t, []byte{1, 2}, torch.Slice[uint8](x), "refusals lose nothing")
}

// What fails leaves the uploader as it was: the same call works afterwards.
func TestUploaderAfterErrors(t *testing.T) {
	for _, call := range []string{"buffer 1", "send 1", "receive 0"} {
		u, r, s := recorded(t)
		require.NoError(t, u.Put([]byte{1, 2}))
		r.fail = call
		put := func() error { return u.Put([]byte{3, 4}) }
		if call == "receive 0" {
			require.NoError(t, put())
			_, err := u.Take(s)
			require.EqualError(t, err, "planted")
		} else {
			require.EqualError(t, put(), "planted", call)
			r.fail = ""
			require.NoError(t, put())
		}
		r.fail = ""
		for _, want := range [][]byte{{1, 2}, {3, 4}} {
			x, err := u.Take(s)
			require.NoError(t, err)
			require.Equal(t, want, torch.Slice[uint8](x), call)
		}
	}
	u, r, _ := recorded(t)
	broken := errors.New("no picture")
	require.Same(t, broken, u.PutFrom(1, func(dst []byte) error {
		require.Len(t, dst, 2)
		return broken
	}))
	require.Zero(t, u.Waiting())
	require.Equal(t, []string{"buffer 0"}, r.log)
}

func TestUploaderOnTheCPU(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	u, err := NewUploader(s, torch.CPU, torch.Int16, 3, 2)
	require.NoError(t, err)
	live := torch.LiveTensors()
	for n := range byte(4) {
		require.NoError(t, u.PutFrom(2, func(dst []byte) error {
			copy(dst, []byte{n, 0, 1, 0, 2, 0, 3, 1})
			return nil
		}))
		in := s.Child()
		x, err := u.Take(in)
		require.NoError(t, err)
		require.Equal(t, []int64{2, 2}, x.Shape())
		require.NoError(t, u.Put(make([]byte, 12)), "the buffer that x came from is not x")
		_, err = u.Take(in)
		require.NoError(t, err)
		require.Equal(t, []int16{int16(n), 1, 2, 259}, torch.Slice[int16](x))
		in.Close()
		require.Equal(t, live, torch.LiveTensors())
	}
	for _, shape := range [][]int64{nil, {0}, {2, -1}, {1 << 41}, {1 << 30, 1 << 30}} {
		_, err := NewUploader(s, torch.CPU, torch.Uint8, shape...)
		require.ErrorContains(t, err, "cuda: NewUploader: got shape ", "%v", shape)
	}
	_, err = NewUploader(s, torch.CPU, torch.Bool, 4)
	require.ErrorContains(t, err, "cuda: NewUploader: got bool vs ")
}

// Bytes are the tensor's memory, as long as its scope.
func TestBytesAreTheTensor(t *testing.T) {
	s := torch.NewScope()
	x := s.Zeros([]int64{3}, torch.Options{DType: torch.Uint8})
	p, err := newPinned("test", x)
	require.NoError(t, err)
	copy(p.Bytes(), []byte{7, 8, 9})
	require.Equal(t, []byte{7, 8, 9}, torch.Slice[uint8](p.Tensor()))
	_, err = newPinned("test", torch.Call("aten::t", s.Zeros([]int64{2, 3})))
	require.ErrorContains(t, err, "cuda: test: got no contiguous tensor on the CPU")
	s.Close()
	require.ErrorIs(t, torch.Try(func() { p.Bytes() }), torch.ErrClosed)
}
