package tensorboard

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memory is a file in memory that is full after room bytes, if room is not negative.
type memory struct {
	bytes.Buffer
	room   int
	writes int
	closed int
}

var errFull = errors.New("no space left")

func (m *memory) Write(b []byte) (int, error) {
	m.writes++
	if m.room >= 0 && m.Len()+len(b) > m.room {
		n, _ := m.Buffer.Write(b[:m.room-m.Len()])
		return n, errFull
	}
	return m.Buffer.Write(b)
}

func (m *memory) Close() error {
	m.closed++
	return nil
}

func clock(seconds float64) func() time.Time {
	whole, part := math.Modf(seconds)
	return func() time.Time { return time.Unix(int64(whole), int64(part*1e9)) }
}

// inMemory is a writer with its version record written.
func inMemory(t testing.TB) (*Writer, *memory) {
	t.Helper()
	m := &memory{room: -1}
	w := &Writer{out: m, now: clock(1700000001)}
	w.event(0, message(nil).text(3, "brain.Event:2"))
	require.NoError(t, w.Flush())
	m.writes = 0
	return w, m
}

// Known bytes of the two kinds of record that every run has.
func TestFileBytes(t *testing.T) {
	dir := t.TempDir()
	w, err := create(dir, clock(1700000000.5))
	require.NoError(t, err)
	version := "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110"
	require.Equal(t, version, hex.EncodeToString(onlyFile(t, dir)))

	w.now = clock(1700000001)
	w.Scalar("Loss/G/loss", 100, 0.5)
	require.Equal(t, version, hex.EncodeToString(onlyFile(t, dir)), "written before Flush")
	require.NoError(t, w.Flush())
	scalar := "2100000000000000017becf60900004040fc54d94110642a140a120a0b4c6f73732f472f6c6f7373150000003f9ea64836"
	require.Equal(t, version+scalar, hex.EncodeToString(onlyFile(t, dir)))
	require.NoError(t, w.Close())
	require.Equal(t, version+scalar, hex.EncodeToString(onlyFile(t, dir)))
}

func TestMaskedCRC(t *testing.T) {
	require.Equal(t, uint32(0xc78ab0e5), maskedCRC([]byte("123456789")))
	for _, b := range [][]byte{nil, {0}, make([]byte, 32), bytes.Repeat([]byte{0xff}, 33), []byte("brain.Event:2")} {
		require.Equal(t, masked(b), maskedCRC(b), "%x", b)
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	now := clock(1700000000)
	var names []string
	for range 12 {
		w, err := create(dir, now)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			if !slices.Contains(names, e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	require.Len(t, names, 12, "names of writers of the same second")
	require.True(t, slices.IsSorted(names), "a later file is before an earlier one: %q", names)
	require.Regexp(t, fmt.Sprintf(`^events\.out\.tfevents\.1700000000\.[A-Za-z0-9._-]+\.%d\.0$`, os.Getpid()), names[0])

	// The clock was set back, and there are files that say nothing of a time.
	for _, name := range []string{prefix + "old", prefix + "99999999999.h.1.0", prefix, "log.jsonl"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	second, err := nextSecond(dir, 1600000000)
	require.NoError(t, err)
	require.Equal(t, int64(1700000012), second)
	second, err = nextSecond(dir, 1800000000)
	require.NoError(t, err)
	require.Equal(t, int64(1800000000), second)

	// Another process took the name between the look at the folder and the making of the file.
	other := t.TempDir()
	for n := range 3 {
		f, err := createFile(other, 5)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Regexp(t, fmt.Sprintf(`/events\.out\.tfevents\.0000000005\..*\.%d$`, n), f.Name())
	}
}

func TestHostPart(t *testing.T) {
	for host, want := range map[string]string{
		"": "localhost", "gpu-1.example_x": "gpu-1.example_x", "a/b\\c d\x00é": "a-b-c-d--",
		string(bytes.Repeat([]byte("x"), 300)): string(bytes.Repeat([]byte("x"), 64)),
	} {
		require.Equal(t, want, hostPart(host))
	}
}

func TestCreateFails(t *testing.T) {
	_, err := Create(filepath.Join(t.TempDir(), "not there"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "tensorboard: ")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Create(file)
	require.Error(t, err)
}

func TestFlush(t *testing.T) {
	w, m := inMemory(t)
	require.NoError(t, w.Flush())
	require.Zero(t, m.writes, "nothing to write")
	for i := range 30 {
		w.Scalar(fmt.Sprint("tag", i), 7, float64(i))
	}
	w.Image("big", 7, make([]byte, 2<<20), 1, 1)
	require.NoError(t, w.Flush())
	require.Equal(t, 1, m.writes)
	require.Less(t, cap(w.buf), 2<<20, "memory of an image is kept")
	w.Scalar("after", 8, 1)
	require.NoError(t, w.Close())
	require.Len(t, events(t, m.Bytes()), 32)

	require.NoError(t, w.Close(), "a second time")
	require.Equal(t, 1, m.closed)
	w.Scalar("late", 9, 1)
	require.ErrorIs(t, w.Flush(), fs.ErrClosed)
	require.Empty(t, w.buf)
	require.Len(t, events(t, m.Bytes()), 32)
}

// Wherever the disk gets full: an error, the same one later on too, nothing behind half a record, and what was there before
// stays readable.
func TestFullDisk(t *testing.T) {
	add := func(w *Writer) {
		w.Restart(1)
		w.Scalar("a", 1, 1)
		w.Histogram("h", 1, []float64{1, 2, 3})
		w.Text("t", 1, "text")
	}
	w, m := inMemory(t)
	version := m.Len()
	add(w)
	require.NoError(t, w.Flush())
	whole := bytes.Clone(m.Bytes())
	for room := version; room < len(whole); room++ {
		w, m := inMemory(t)
		m.room = room
		add(w)
		err := w.Flush()
		require.ErrorIs(t, err, errFull)
		m.room = -1 // somebody made space
		for range 3 {
			add(w)
			require.Equal(t, err, w.Flush())
		}
		require.Equal(t, err, w.Close())
		require.Equal(t, 1, m.closed)
		require.Equal(t, whole[:room], m.Bytes())
		data, err := records(m.Bytes())
		if err != nil {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
		require.NotEmpty(t, data)
	}
}

func TestFailingFiles(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err == nil {
		w := &Writer{out: full, now: time.Now}
		w.Scalar("a", 1, 1)
		require.ErrorContains(t, w.Flush(), "tensorboard: ")
		require.Error(t, w.Close())
	}

	dir := t.TempDir()
	w, err := Create(dir)
	require.NoError(t, err)
	before := onlyFile(t, dir)
	require.NoError(t, w.out.Close()) // behind the writer's back
	w.Scalar("a", 1, 1)
	require.ErrorIs(t, w.Flush(), fs.ErrClosed)
	require.ErrorIs(t, w.Close(), fs.ErrClosed)
	require.Equal(t, before, onlyFile(t, dir))

	w, err = Create(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, w.out.Close())
	require.ErrorIs(t, w.Close(), fs.ErrClosed, "with nothing to write")
}

// A tick of a run: 30 numbers in one write to a file.
func BenchmarkTick(b *testing.B) {
	w, err := Create(b.TempDir())
	require.NoError(b, err)
	tags := make([]string, 30)
	for i := range tags {
		tags[i] = fmt.Sprintf("Loss/value_%d", i)
	}
	b.ReportAllocs()
	for step := int64(1); b.Loop(); step++ {
		for i, tag := range tags {
			w.Scalar(tag, step, float64(i)/3)
		}
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, w.Close())
}
