package data

import (
	"fmt"
	"hash/fnv"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Labelled is pictures of two classes.
type Labelled struct{ Real, Fake Dataset }

// Split divides both classes, each by itself, as [Split] does: every part has the same share of either.
func (l Labelled) Split(seed uint64, shares ...float64) []Labelled {
	out := make([]Labelled, len(shares)+1)
	for i, d := range Split(l.Real, seed, shares...) {
		out[i].Real = d
	}
	for i, d := range Split(l.Fake, seed, shares...) {
		out[i].Fake = d
	}
	return out
}

// Split divides a set into parts of the given shares and a last one of what is left. The shares must add up to less than 1.
// No picture is in two parts, and none is lost. Each part but the last has at least one picture while there are enough.
//
// Where a picture belongs follows from the hash of its name in the set (its number where there are no names) and the seed:
// the order of the files and the folder that they lie in do not matter, and one file more moves few others.
func Split(ds Dataset, seed uint64, shares ...float64) []Dataset {
	type item struct {
		hash uint64
		at   int
	}
	all := make([]item, ds.Len())
	for i := range all {
		all[i] = item{hashOf(ds, i, seed), i}
	}
	slices.SortFunc(all, func(a, b item) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return a.at - b.at
	})
	var out []Dataset
	take := func(n int) {
		part := &Subset{ds: ds}
		for _, it := range all[:n] {
			part.index = append(part.index, it.at)
		}
		slices.Sort(part.index)
		all = all[n:]
		out = append(out, part)
	}
	for _, share := range shares {
		take(min(len(all), max(1, int(math.Round(share*float64(ds.Len()))))))
	}
	take(len(all))
	return out
}

func hashOf(ds Dataset, i int, seed uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(keyOf(ds, i)))
	return mix(h.Sum64(), seed, 1)
}

// keyOf is the name of a picture in its set, the same wherever the set lies.
func keyOf(ds Dataset, i int) string {
	switch d := ds.(type) {
	case *Folder:
		if rel, err := filepath.Rel(d.dir, d.paths[i]); err == nil {
			return filepath.ToSlash(rel)
		}
		return d.paths[i]
	case *Zip:
		return d.entries[i].Name
	case *Subset:
		return keyOf(d.ds, d.index[i])
	case asScored:
		return keyOf(d.Dataset, i)
	case *joined:
		part, k := d.at(i)
		return fmt.Sprintf("%d/%s", part, keyOf(d.sets[part], k))
	}
	return strconv.Itoa(i)
}

// Subset is some pictures of a set, in the set's order.
type Subset struct {
	ds    Dataset
	index []int
}

// Name is that of the set.
func (s *Subset) Name() string { return s.ds.Name() }

// Len is the number of pictures in the part, which may be 0.
func (s *Subset) Len() int { return len(s.index) }

// Image decodes picture i of the part.
func (s *Subset) Image(i int) (image.Image, error) { return s.ds.Image(s.index[i]) }

// Range returns the pictures from <= i < to of a set. It panics when they are not all in it.
func Range(ds Dataset, from, to int) *Subset {
	if from < 0 || to > ds.Len() || from > to {
		panic(fmt.Sprintf("data: range: got %d to %d vs 0 to %d", from, to, ds.Len()))
	}
	s := &Subset{ds: ds}
	for i := from; i < to; i++ {
		s.index = append(s.index, i)
	}
	return s
}

// Spread returns at most n pictures of a set, evenly spread over it.
func Spread(ds Dataset, n int) Dataset {
	if ds.Len() <= n {
		return ds
	}
	s := &Subset{ds: ds}
	for k := range n {
		s.index = append(s.index, int(int64(k)*int64(ds.Len())/int64(n)))
	}
	return s
}

// joined is several sets, one after the other.
type joined struct{ sets []Dataset }

// Join returns the pictures of several sets as one. It panics when there is no set.
func Join(sets ...Dataset) Dataset {
	if len(sets) == 0 {
		panic("data: join: got no sets")
	}
	if len(sets) == 1 {
		return sets[0]
	}
	return &joined{sets}
}

func (j *joined) Name() string {
	var names []string
	for _, s := range j.sets {
		names = append(names, s.Name())
	}
	return strings.Join(names, "+")
}

func (j *joined) Len() int {
	n := 0
	for _, s := range j.sets {
		n += s.Len()
	}
	return n
}

func (j *joined) Image(i int) (image.Image, error) {
	part, k := j.at(i)
	return j.sets[part].Image(k)
}

// at finds a picture by its number.
func (j *joined) at(i int) (set, k int) {
	for set, s := range j.sets {
		if i < s.Len() {
			return set, i
		}
		i -= s.Len()
	}
	panic(fmt.Sprintf("data: join: picture %d past the end", i))
}
