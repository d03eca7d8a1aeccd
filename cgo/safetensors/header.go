package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxHeader is the format's limit on the length of the header, in bytes.
const maxHeader = 100_000_000

// metadataKey is the header's one member that is no entry.
const metadataKey = "__metadata__"

// header is a parsed and checked header. Offsets count from the start of the data.
type header struct {
	entries  []Entry
	metadata map[string]string // nil if the header has none
}

// parseHeader reads a header for dataSize bytes of data and checks everything that can be checked without the data.
//
// It walks the JSON token by token: decoding into a map would keep the last of two members with the same name, and so
// two readers could see different tensors in one file.
func parseHeader(text []byte, dataSize int64) (*header, error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, malformed("header does not start with {")
	}
	if !utf8.Valid(text) {
		return nil, malformed("header is not valid utf-8")
	}
	if !json.Valid(text) { // the token reader alone lets some errors pass
		return nil, malformed("header is not valid json")
	}
	p := &parser{dec: json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	h := &header{}
	seen := map[string]bool{}
	err := p.object("header", func(name string) error {
		if seen[name] {
			return malformed("duplicate name %s", quote(name))
		}
		seen[name] = true
		if name == metadataKey {
			return p.metadata(h)
		}
		e, err := p.entry(name)
		h.entries = append(h.entries, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return h, h.checkLayout(dataSize)
}

// checkLayout sorts the entries by their place in the file and checks that they fill the data without hole or overlap.
func (h *header) checkLayout(dataSize int64) error {
	slices.SortStableFunc(h.entries, func(a, b Entry) int {
		// Of two entries at the same offset all but one must be empty, and those come first.
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Size, b.Size))
	})
	var end int64
	for _, e := range h.entries {
		switch {
		case e.Offset+e.Size > dataSize: // no overflow: both came from offsets that fit
			return malformed("entry %s ends outside the data: got offset %d, want at most %d (file truncated?)",
				quote(e.Name), e.Offset+e.Size, dataSize)
		case e.Offset < end:
			return malformed("entry %s overlaps the one before it: got offset %d, want %d", quote(e.Name), e.Offset, end)
		case e.Offset > end:
			return malformed("hole before entry %s: got offset %d, want %d", quote(e.Name), e.Offset, end)
		}
		end += e.Size
	}
	if end != dataSize {
		return malformed("trailing data: got %d bytes of data, want %d", dataSize, end)
	}
	return nil
}

// parser reads the parts of a header, which is known to be valid JSON.
type parser struct{ dec *json.Decoder }

// entry reads the description of one entry.
func (p *parser) entry(name string) (Entry, error) {
	e := Entry{Name: name, Shape: []int64{}}
	var offsets []int64
	var seen [3]bool
	what := "entry " + quote(name)
	err := p.object(what, func(field string) error {
		i := slices.Index([]string{"dtype", "shape", "data_offsets"}, field)
		if i < 0 {
			return malformed("%s: unknown field %s", what, quote(field))
		}
		if seen[i] {
			return malformed("%s: duplicate field %q", what, field)
		}
		seen[i] = true
		var err error
		switch i {
		case 0:
			var s string
			s, err = p.str(what + ": dtype")
			e.DType = DType(s)
		case 1:
			e.Shape, err = p.ints(what + ": shape")
		case 2:
			offsets, err = p.ints(what + ": data_offsets")
		}
		return err
	})
	if err != nil {
		return e, err
	}
	if seen != [3]bool{true, true, true} {
		return e, malformed("%s: want dtype, shape and data_offsets", what)
	}
	if len(offsets) != 2 {
		return e, malformed("%s: data_offsets: got %d numbers, want 2", what, len(offsets))
	}
	if offsets[0] > offsets[1] {
		return e, malformed("%s: data_offsets: end before begin: got %d before %d", what, offsets[1], offsets[0])
	}
	size, err := ByteSize(e.DType, e.Shape)
	if err != nil {
		return e, malformed("%s: %v", what, err)
	}
	if got := offsets[1] - offsets[0]; got != size {
		return e, malformed("%s: size does not match dtype and shape: got %d bytes, want %d", what, got, size)
	}
	e.Offset, e.Size = offsets[0], size
	return e, nil
}

// metadata reads the string map.
func (p *parser) metadata(h *header) error {
	h.metadata = map[string]string{}
	return p.object(metadataKey, func(key string) error {
		if _, ok := h.metadata[key]; ok {
			return malformed("%s: duplicate key %s", metadataKey, quote(key))
		}
		v, err := p.str(metadataKey + ": " + quote(key))
		h.metadata[key] = v
		return err
	})
}

// object reads an object and calls member after each name; member must read the value.
func (p *parser) object(what string, member func(name string) error) error {
	if err := p.delim(what, '{', "an object"); err != nil {
		return err
	}
	for p.dec.More() {
		name, err := p.str(what)
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	return p.delim(what, '}', "the end of the object")
}

// ints reads an array of integers from 0 to the largest int64.
func (p *parser) ints(what string) ([]int64, error) {
	if err := p.delim(what, '[', "an array"); err != nil {
		return nil, err
	}
	v := []int64{}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return nil, malformed("%s: %v", what, err)
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, malformed("%s: want integers", what)
		}
		// Only digits: no sign, fraction or exponent.
		u, err := strconv.ParseUint(n.String(), 10, 63)
		if err != nil {
			if strings.HasPrefix(n.String(), "-") {
				return nil, malformed("%s: negative number: got %s", what, clip(n.String()))
			}
			return nil, malformed("%s: not an integer below 2^63: got %s", what, clip(n.String()))
		}
		v = append(v, int64(u))
	}
	return v, p.delim(what, ']', "the end of the array")
}

// str reads a string.
func (p *parser) str(what string) (string, error) {
	t, err := p.dec.Token()
	if err != nil {
		return "", malformed("%s: %v", what, err)
	}
	s, ok := t.(string)
	if !ok {
		return "", malformed("%s: want a string", what)
	}
	return s, nil
}

func (p *parser) delim(what string, d json.Delim, want string) error {
	t, err := p.dec.Token()
	if err != nil {
		return malformed("%s: %v", what, err)
	}
	if t != d {
		return malformed("%s: want %s", what, want)
	}
	return nil
}

// clip shortens a number of the file to what fits in an error.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// encodeHeader is the inverse of parseHeader for entries that have been checked. The result includes the padding.
func encodeHeader(entries []Entry, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // names keep their < and >, as other writers keep them
	var err error
	value := func(v any) {
		if err == nil {
			err = enc.Encode(v)
			b.Truncate(b.Len() - 1) // Encode ends with a newline
		}
	}
	sep := "{"
	if len(metadata) > 0 {
		fmt.Fprintf(&b, `{"%s":`, metadataKey)
		value(metadata) // encoding/json sorts the keys
		sep = ","
	}
	for _, e := range entries {
		b.WriteString(sep)
		value(e.Name)
		b.WriteString(`:{"dtype":`)
		value(e.DType)
		b.WriteString(`,"shape":`)
		value(append([]int64{}, e.Shape...)) // a nil shape is [], not null
		b.WriteString(`,"data_offsets":`)
		value([2]int64{e.Offset, e.Offset + e.Size})
		b.WriteByte('}')
		sep = ","
	}
	if sep == "{" {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	if err != nil {
		return nil, err
	}
	for b.Len()%8 != 0 { // so that the data is aligned when the file is mapped
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, fmt.Errorf("header too long: got %d bytes, want at most %d", b.Len(), maxHeader)
	}
	return b.Bytes(), nil
}
