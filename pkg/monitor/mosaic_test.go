package monitor_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

func TestMosaic(t *testing.T) {
	for n, want := range []int{0, 1, 2, 2, 2, 3} {
		require.Equal(t, want, monitor.Columns(n))
	}
	// Three pictures of 1 x 2 with values of 10 * picture + place in the picture.
	pix := make([]byte, 0, 18)
	for i := range 3 {
		for k := range 6 {
			pix = append(pix, byte(10*i+k))
		}
	}
	require.Equal(t, []byte{
		0, 1, 10, 11, 20, 21, 255, 255, // red
		2, 3, 12, 13, 22, 23, 255, 255,
		4, 5, 14, 15, 24, 25, 255, 255,
	}, monitor.Mosaic(pix, 3, 1, 2, 2))
}

func ExampleMosaic() {
	one, two := []byte{1, 1, 1}, []byte{2, 2, 2} // single grey pixels
	fmt.Println(monitor.Mosaic(append(one, two...), 2, 1, 1, 2))
	// Output: [1 2 1 2 1 2]
}
