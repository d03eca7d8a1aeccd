package tensorboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A reader that shares nothing with the writer: its own checksum, its own walk through the wire format, and the fields as
// they stand in the .proto files of TensorFlow. What is not in there is an error.

// kind is how a field is encoded.
type kind int

const (
	integer kind = iota
	double
	single
	text
	blob
	doubles // repeated, packed or not
	nested
)

type field struct {
	name   string
	kind   kind
	fields schema
	many   bool   // repeated
	oneof  string // of the fields with the same name here only one is there
}

type schema map[int]field

var (
	imageSchema = schema{
		1: {name: "height", kind: integer}, 2: {name: "width", kind: integer}, 3: {name: "colorspace", kind: integer},
		4: {name: "encoded_image_string", kind: blob},
	}
	histoSchema = schema{
		1: {name: "min", kind: double}, 2: {name: "max", kind: double}, 3: {name: "num", kind: double},
		4: {name: "sum", kind: double}, 5: {name: "sum_squares", kind: double},
		6: {name: "bucket_limit", kind: doubles, many: true}, 7: {name: "bucket", kind: doubles, many: true},
	}
	shapeSchema = schema{
		2: {name: "dim", kind: nested, many: true, fields: schema{1: {name: "size", kind: integer}, 2: {name: "name", kind: text}}},
		3: {name: "unknown_rank", kind: integer},
	}
	tensorSchema = schema{
		1: {name: "dtype", kind: integer}, 2: {name: "tensor_shape", kind: nested, fields: shapeSchema},
		8: {name: "string_val", kind: blob, many: true},
	}
	metadataSchema = schema{
		1: {name: "plugin_data", kind: nested, fields: schema{1: {name: "plugin_name", kind: text}, 2: {name: "content", kind: blob}}},
		2: {name: "display_name", kind: text}, 3: {name: "summary_description", kind: text}, 4: {name: "data_class", kind: integer},
	}
	valueSchema = schema{
		1: {name: "tag", kind: text}, 2: {name: "simple_value", kind: single, oneof: "value"},
		4: {name: "image", kind: nested, fields: imageSchema, oneof: "value"},
		5: {name: "histo", kind: nested, fields: histoSchema, oneof: "value"},
		7: {name: "node_name", kind: text},
		8: {name: "tensor", kind: nested, fields: tensorSchema, oneof: "value"},
		9: {name: "metadata", kind: nested, fields: metadataSchema},
	}
	eventSchema = schema{
		1: {name: "wall_time", kind: double}, 2: {name: "step", kind: integer},
		3: {name: "file_version", kind: text, oneof: "what"},
		5: {name: "summary", kind: nested, oneof: "what", fields: schema{
			1: {name: "value", kind: nested, many: true, fields: valueSchema},
		}},
		7: {name: "session_log", kind: nested, oneof: "what", fields: schema{
			1: {name: "status", kind: integer}, 2: {name: "checkpoint_path", kind: text}, 3: {name: "msg", kind: text},
		}},
	}
)

// object is a decoded message: int64, float64, float32, string, []byte, object, and []any of them, by name.
type object map[string]any

// at goes down a path of names; a name that is not there gives nil, as the default of its kind is for the caller to know.
func (o object) at(path ...string) any {
	var v any = o
	for _, name := range path {
		inner, ok := v.(object)
		if !ok {
			return nil
		}
		v = inner[name]
	}
	return v
}

var errShort = errors.New("cut off")

func decode(s schema, b []byte) (object, error) {
	o, oneof := object{}, map[string]string{}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errShort
		}
		b = b[n:]
		f, ok := s[int(key>>3)]
		if !ok {
			return nil, fmt.Errorf("no field has number %d", key>>3)
		}
		var raw []byte
		var number uint64
		switch wire := key & 7; wire {
		case 0:
			if number, n = binary.Uvarint(b); n <= 0 {
				return nil, errShort
			}
			b = b[n:]
		case 1, 5:
			size := map[uint64]int{1: 8, 5: 4}[wire]
			if len(b) < size {
				return nil, errShort
			}
			raw, b = b[:size], b[size:]
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || uint64(len(b)-n) < size {
				return nil, errShort
			}
			raw, b = b[n:n+int(size)], b[n+int(size):]
		default:
			return nil, fmt.Errorf("%s: wire type %d", f.name, wire)
		}
		v, err := f.value(key&7, number, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if f.oneof != "" {
			if other, ok := oneof[f.oneof]; ok {
				return nil, fmt.Errorf("both %s and %s", other, f.name)
			}
			oneof[f.oneof] = f.name
		}
		switch before, there := o[f.name]; {
		case f.kind == doubles:
			list, _ := before.([]float64)
			o[f.name] = append(list, v.([]float64)...)
		case f.many:
			list, _ := before.([]any)
			o[f.name] = append(list, v)
		case there:
			return nil, fmt.Errorf("%s is there twice", f.name)
		default:
			o[f.name] = v
		}
	}
	return o, nil
}

func (f field) value(wire, number uint64, raw []byte) (any, error) {
	want := map[kind]uint64{integer: 0, double: 1, single: 5, text: 2, blob: 2, nested: 2, doubles: 2}[f.kind]
	if wire != want && (f.kind != doubles || wire != 1) {
		return nil, fmt.Errorf("got wire type %d vs %d", wire, want)
	}
	switch f.kind {
	case integer:
		return int64(number), nil
	case double:
		return math.Float64frombits(binary.LittleEndian.Uint64(raw)), nil
	case single:
		return math.Float32frombits(binary.LittleEndian.Uint32(raw)), nil
	case text:
		if !utf8.Valid(raw) {
			return nil, fmt.Errorf("not UTF-8: %q", raw)
		}
		return string(raw), nil
	case doubles:
		if len(raw)%8 != 0 {
			return nil, errShort
		}
		var list []float64
		for ; len(raw) > 0; raw = raw[8:] {
			list = append(list, math.Float64frombits(binary.LittleEndian.Uint64(raw)))
		}
		return list, nil
	case nested:
		return decode(f.fields, raw)
	}
	return append([]byte{}, raw...), nil
}

// crc32c is bit by bit, as its definition in RFC 3720 B.4 reads: reflected, polynomial 0x1EDC6F41.
func crc32c(b []byte) uint32 {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low == 1 {
				crc ^= 0x82f63b78
			}
		}
	}
	return ^crc
}

func masked(b []byte) uint32 {
	crc := uint64(crc32c(b))
	return uint32((crc>>15 | crc<<17&0xffffffff) + 0xa282ead8)
}

// records cuts a file into its records' data. With io.ErrUnexpectedEOF come the whole ones before the end.
func records(b []byte) ([][]byte, error) {
	var all [][]byte
	for len(b) > 0 {
		if len(b) < 12 {
			return all, io.ErrUnexpectedEOF
		}
		n := binary.LittleEndian.Uint64(b)
		if got, want := binary.LittleEndian.Uint32(b[8:]), masked(b[:8]); got != want {
			return all, fmt.Errorf("record %d: checksum of the length: got %08x vs %08x", len(all), got, want)
		}
		if uint64(len(b)-12) < n+4 {
			return all, io.ErrUnexpectedEOF
		}
		data := b[12 : 12+n]
		if got, want := binary.LittleEndian.Uint32(b[12+n:]), masked(data); got != want {
			return all, fmt.Errorf("record %d: checksum of the data: got %08x vs %08x", len(all), got, want)
		}
		all, b = append(all, data), b[12+n+4:]
	}
	return all, nil
}

// events decodes a whole file and takes the version off.
func events(t testing.TB, file []byte) []object {
	t.Helper()
	data, err := records(file)
	require.NoError(t, err)
	var all []object
	for i, b := range data {
		e, err := decode(eventSchema, b)
		require.NoError(t, err, "event %d: %x", i, b)
		all = append(all, e)
	}
	require.NotEmpty(t, all)
	require.Equal(t, "brain.Event:2", all[0]["file_version"])
	return all[1:]
}

// value is the only value of an event.
func value(t testing.TB, e object) object {
	t.Helper()
	list, _ := e.at("summary", "value").([]any)
	require.Len(t, list, 1, "%v", e)
	return list[0].(object)
}

// onlyFile reads the event file of dir, of which there is one.
func onlyFile(t testing.TB, dir string) []byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*tfevents*"))
	require.NoError(t, err)
	require.Len(t, paths, 1)
	b, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	return b
}

func TestReader(t *testing.T) {
	// RFC 3720 B.4.
	require.Equal(t, uint32(0x8a9136aa), crc32c(make([]byte, 32)))
	require.Equal(t, uint32(0xe3069283), crc32c([]byte("123456789")))
	for name, b := range map[string]string{
		"unknown field":  "\x78\x01",
		"wire type":      "\x09\x01",
		"not UTF-8":      "\x1a\x01\xff",
		"cut off":        "\x1a\x05a",
		"both of one":    "\x1a\x01a\x3a\x02\x08\x01",
		"twice":          "\x10\x01\x10\x02",
		"group":          "\x0b",
		"no key":         "\x80",
		"unpacked, part": "\x2a\x07\x0a\x05\x2a\x03\x31\x00\x00",
	} {
		_, err := decode(eventSchema, []byte(b))
		require.Error(t, err, name)
	}
}
