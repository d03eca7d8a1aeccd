package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
)

// message is an encoded protocol buffer message: fields one after the other, in the order of their numbers. As in proto3, a
// number that is 0 is left out except in a oneof.
type message []byte

// The wire types of https://protobuf.dev/programming-guides/encoding.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func (m message) key(field, wire int) message {
	return binary.AppendUvarint(m, uint64(field)<<3|uint64(wire))
}

// varint is for int32, int64 and enum. A negative number is its two's complement of 64 bits.
func (m message) varint(field int, v uint64) message {
	if v == 0 {
		return m
	}
	return binary.AppendUvarint(m.key(field, wireVarint), v)
}

func (m message) double(field int, v float64) message {
	bits := math.Float64bits(v)
	if bits == 0 {
		return m
	}
	return binary.LittleEndian.AppendUint64(m.key(field, wireFixed64), bits)
}

// float is for a float in a oneof: 0 is written too.
func (m message) float(field int, v float32) message {
	return binary.LittleEndian.AppendUint32(m.key(field, wireFixed32), math.Float32bits(v))
}

// bytes is for bytes and messages.
func (m message) bytes(field int, b []byte) message {
	m = binary.AppendUvarint(m.key(field, wireBytes), uint64(len(b)))
	return append(m, b...)
}

// text is for a string. A reader refuses the whole record if that is no valid UTF-8, so bad bytes become U+FFFD.
func (m message) text(field int, s string) message {
	s = strings.ToValidUTF8(s, "\uFFFD")
	m = binary.AppendUvarint(m.key(field, wireBytes), uint64(len(s)))
	return append(m, s...)
}

// packed is for a repeated double.
func (m message) packed(field int, v []float64) message {
	m = binary.AppendUvarint(m.key(field, wireBytes), uint64(8*len(v)))
	for _, x := range v {
		m = binary.LittleEndian.AppendUint64(m, math.Float64bits(x))
	}
	return m
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the checksum of the record format: CRC-32C, turned by 15 bits and moved, so that a checksum of data with
// checksums in it is not a weak one (tensorflow/core/lib/hash/crc32c.h).
func maskedCRC(b []byte) uint32 {
	crc := crc32.Checksum(b, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// appendRecord appends data as a TFRecord: its length, the length's checksum, data, data's checksum, all little endian.
func appendRecord(b, data []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b[start:]))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, maskedCRC(data))
}
