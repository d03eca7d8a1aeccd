package metric

import "math"

// What is measured here needs no network and no other pictures: bytes [N, 3, H, W] as they go into a file.

// thumb is the side of the thumbnails that [Diversity] compares: shapes and colours count, not noise.
const thumb = 16

// Diversity is the mean distance between two of n pictures, pix [n, 3, h, w]: the root of the mean squared difference of their
// values, 0 to 255, at 16 x 16 (smaller ones at their own size). It is 0 where all are the same, which is what a generator
// that has collapsed draws, and for one picture.
func Diversity(pix []byte, n, h, w int) float64 {
	if n < 2 {
		return 0
	}
	th, tw := min(h, thumb), min(w, thumb)
	size := 3 * th * tw
	small := make([]float64, n*size)
	for i := range 3 * n {
		shrink(small[i*th*tw:][:th*tw], pix[i*h*w:][:h*w], h, w, th, tw)
	}
	sum := 0.0
	for i := range n {
		for k := range i {
			a, b, d := small[i*size:][:size], small[k*size:][:size], 0.0
			for j := range a {
				d += (a[j] - b[j]) * (a[j] - b[j])
			}
			sum += math.Sqrt(d / float64(size))
		}
	}
	return sum / float64(n*(n-1)/2)
}

// shrink is the mean of the pixels that fall into each one of a smaller picture, whole ones.
func shrink(dst []float64, src []byte, h, w, th, tw int) {
	for y := range th {
		for x := range tw {
			sum, n := 0, 0
			for sy := y * h / th; sy < (y+1)*h/th; sy++ {
				for sx := x * w / tw; sx < (x+1)*w/tw; sx++ {
					sum += int(src[sy*w+sx])
					n++
				}
			}
			dst[y*tw+x] = float64(sum) / float64(n)
		}
	}
}

// Detail is how much fine detail n pictures have, pix [n, 3, h, w]: the root of the mean square of what a binomial blur of
// 3 x 3 takes away, 0 to 255, without the outermost pixels. Blurred pictures have less of it than sharp ones of the same
// things, noise has more. It is 0 for pictures narrower or lower than 3.
func Detail(pix []byte, n, h, w int) float64 {
	if n < 1 || h < 3 || w < 3 {
		return 0
	}
	sum := 0.0
	for i := range 3 * n {
		plane := pix[i*h*w:][:h*w]
		total := 0 // of squares, in 256ths
		for y := 1; y < h-1; y++ {
			above, here, below := plane[(y-1)*w:][:w], plane[y*w:][:w], plane[(y+1)*w:][:w]
			for x := 1; x < w-1; x++ {
				blurred := int(above[x-1]) + 2*int(above[x]) + int(above[x+1]) + 2*int(here[x-1]) + 4*int(here[x]) + 2*int(here[x+1]) +
					int(below[x-1]) + 2*int(below[x]) + int(below[x+1])
				d := 16*int(here[x]) - blurred
				total += d * d
			}
		}
		sum += float64(total) / 256
	}
	return math.Sqrt(sum / float64(3*n*(h-2)*(w-2)))
}
