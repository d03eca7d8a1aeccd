package convert_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// A damaged checkpoint is a clear error, or gives what the undamaged one gives: a bit of the optimizer's state, of padding or
// of a time stamp does no harm. Package torchsave has the hostile files; here is what happens to people's files, all the way
// to a score.
func TestMutations(t *testing.T) {
	data := file(t, savetest.Trainer(stateDict(t, small(network.FullMode)), savetest.TrainerOptions{Epoch: 1}))
	c, err := open(data)
	require.NoError(t, err)
	want := score(t, c)
	pickle := bytes.Index(data, []byte("data.pkl"))
	directory := bytes.LastIndex(data, []byte("PK\x01\x02"))
	for directory > 0 { // its first entry
		i := bytes.LastIndex(data[:directory], []byte("PK\x01\x02"))
		if i < len(data)/2 {
			break
		}
		directory = i
	}
	rng := rand.New(rand.NewPCG(7, 7))
	accepted := 0
	const cuts, holes = 0, 1 // the other kinds are flipped bits
	for n := range mutations {
		bad := data
		switch kind := rng.IntN(6); kind {
		case cuts:
			bad = data[:rng.IntN(len(data))]
		case holes: // a part that was never written
			bad = slices.Clone(data)
			at := rng.IntN(len(bad))
			clear(bad[at:min(len(bad), at+1+rng.IntN(1<<16))])
		default:
			bad = slices.Clone(data)
			for range 1 + rng.IntN(3) {
				at := rng.IntN(len(bad))
				switch rng.IntN(4) { // where the structure is, more often
				case 0:
					at = pickle + rng.IntN(20_000)
				case 1:
					at = directory + rng.IntN(len(bad)-directory)
				}
				bad[at] ^= 1 << rng.IntN(8)
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		c, err := open(bad)
		if err == nil {
			s := torch.NewScope()
			_, err = c.Module(s, torch.CPU, convert.Options{})
			s.Close()
		}
		require.Less(t, time.Since(start), 20*time.Second, "mutation %d", n) // a tenth of a second on a machine that is not busy
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*len(data)+64<<20), "mutation %d", n)
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "convert: "), "%v", err)
			require.NotContains(t, err.Error(), "\n")
			continue
		}
		require.Equal(t, want, score(t, c), "mutation %d", n)
		accepted++
	}
	require.NotZero(t, accepted, "damage outside of the weights does no harm")
	require.Less(t, accepted, mutations)
	t.Logf("%d of %d accepted, all with the right score", accepted, mutations)
}
