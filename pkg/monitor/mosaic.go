package monitor

// Columns is the number of columns of a grid of n pictures that is as square as possible, 0 for none.
func Columns(n int) int {
	c := 0
	for c*c < n {
		c++
	}
	return c
}

// Mosaic puts n planar pictures [3, h, w] beside each other, without borders and as one planar picture. Places without a
// picture are white. It panics when there are fewer bytes than pictures need.
func Mosaic(pix []byte, n, h, w, columns int) []byte {
	rows := (n + columns - 1) / columns
	width, height := w*columns, h*rows
	out := make([]byte, 3*width*height)
	for i := range out {
		out[i] = 255
	}
	for i := range n {
		x, y := i%columns*w, i/columns*h
		for c := range 3 {
			for row := range h {
				copy(out[c*width*height+(y+row)*width+x:][:w], pix[((i*3+c)*h+row)*w:])
			}
		}
	}
	return out
}
