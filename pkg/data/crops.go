package data

import (
	"image"
	"math/rand/v2"
	"sync"
)

// Random crops come from large pictures: decoding a photograph takes a hundred milliseconds, a crop of it a tenth of one.
// So each picture that is decoded gives up to mostCrops of them. They are not delivered one after the other: cropLanes pictures
// are open at a time, each image of the stream is from the next lane, and the lanes change their picture at different
// times, so that the work is even. A batch of up to cropLanes images has as many pictures in it.
const (
	cropLanes = 64
	mostCrops = 16
	mostParts = 4 // of an Augment, whose parts are most of the picture and differ less
)

// crops makes the random crops of a loader's stream.
type crops struct {
	lanes []lane
	each  int // crops of a picture
}

// lane is two pictures: several goroutines work ahead, so that one may still want the old one when another wants the next.
type lane [2]opened

// opened is the crops of one picture.
type opened struct {
	mu     sync.Mutex
	pic    int64 // which picture of the stream of pictures, from 0
	filled bool
	pix    []byte
	err    error
}

// newCrops looks at the size of one of the pictures: small ones have no sixteen crops that differ, and decode fast.
func newCrops(pictures, resolution, most int, one image.Point) *crops {
	area := one.X * one.Y / (resolution * resolution)
	return &crops{lanes: make([]lane, min(cropLanes, pictures)), each: max(1, min(most, area/4))}
}

// at says where the image at a position of the stream is from: the lane, the picture in the stream of pictures, and which of
// its crops.
func (c *crops) at(position int64) (lane int, pic int64, crop int) {
	n, each := int64(len(c.lanes)), int64(c.each)
	lane = int(position % n)
	uses := position/n + int64(lane)*each/n
	return lane, uses/each*n + int64(lane), int(uses % each)
}

// fill writes the image at a position. Positions may come in any order and from many goroutines; neighbouring ones are
// fast. open decodes the picture with a number in the stream of pictures, and calls use with it.
func (c *crops) fill(dst []byte, position int64, seed uint64, t Transform, open func(pic int64, use func(image.Image)) error) error {
	i, pic, crop := c.at(position)
	l := &c.lanes[i][pic/int64(len(c.lanes))%2]
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.filled || l.pic != pic {
		l.pic, l.filled = pic, true
		l.err = open(pic, func(img image.Image) {
			if l.pix == nil {
				l.pix = make([]byte, c.each*len(dst))
			}
			rng := rand.New(rand.NewPCG(seed^0xa5a5, uint64(pic)))
			for k := range c.each {
				t.Apply(l.pix[k*len(dst):(k+1)*len(dst)], img, rng)
			}
		})
	}
	if l.err != nil {
		return l.err
	}
	copy(dst, l.pix[crop*len(dst):])
	return nil
}
