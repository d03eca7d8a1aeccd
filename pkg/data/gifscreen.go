package data

import (
	"encoding/binary"
	"image"
)

// gifScreen lays the first frame of a GIF on its screen, in RGB. Go returns the frame without the screen around it and
// forgets which colour was transparent; Pillow fills the screen with that colour, or with the first of the palette.
func gifScreen(file []byte, frame *image.Paletted) *RGB {
	colours, fill := gifColours(file)
	screen := NewRGB(int(binary.LittleEndian.Uint16(file[6:])), int(binary.LittleEndian.Uint16(file[8:])))
	for i := 0; i < len(screen.Pix); i += 3 {
		copy(screen.Pix[i:], colours[fill][:])
	}
	area := frame.Rect.Intersect(screen.Bounds())
	for y := area.Min.Y; y < area.Max.Y; y++ {
		row := screen.row(y)
		for x := area.Min.X; x < area.Max.X; x++ {
			copy(row[3*x:], colours[frame.Pix[frame.PixOffset(x, y)]][:])
		}
	}
	return screen
}

// gifColours is the palette of the first frame and the index that the screen is filled with. The file was decoded before,
// so it has the parts that are passed over here.
func gifColours(file []byte) (colours [256][3]uint8, fill uint8) {
	p := 13 // signature, screen
	table := func(flags byte) {
		if flags&0x80 == 0 {
			return
		}
		colours = [256][3]uint8{}
		for i := range 2 << (flags & 7) {
			if p+3 <= len(file) {
				copy(colours[i][:], file[p:p+3])
			}
			p += 3
		}
	}
	table(file[10])
	for p+10 < len(file) {
		switch file[p] {
		case 0x2c: // the frame
			flags := file[p+9]
			p += 10
			table(flags)
			return colours, fill
		case 0x21:
			if file[p+1] == 0xf9 && file[p+3]&1 != 0 {
				fill = file[p+6]
			}
			for p += 2; p < len(file) && file[p] != 0; { // blocks of an extension, the last of length 0
				p += 1 + int(file[p])
			}
			p++
		default:
			return colours, fill
		}
	}
	return colours, fill
}
