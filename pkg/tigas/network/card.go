package network

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// CardFile is the name that a detector's card has in its TorchScript archive.
const CardFile = "card.json"

// CardFormat is the first version of [Card]. Readers take what they know of later ones.
const CardFormat = "tigas-train detector 1"

// Card says what a detector is, for people and for programs: it lies in the archive as [CardFile].
type Card struct {
	Format     string          `json:"format"`
	Mode       Mode            `json:"mode"`
	Layout     string          `json:"layout,omitempty"` // of the state dict that it was converted from
	Base       int             `json:"base_channels"`
	Feature    int             `json:"feature_dim"`
	Blocks     []int           `json:"blocks"`
	Parameters int64           `json:"parameters"` // numbers that training changes
	ImageSize  int             `json:"image_size"` // pixels that files are scaled to, square; any size can be scored
	Input      string          `json:"input"`
	Output     string          `json:"output"`
	Source     *Source         `json:"source,omitempty"`
	Training   json.RawMessage `json:"training,omitempty"` // data and figures of a detector of one's own
}

// Source is the checkpoint that a detector was converted from.
type Source struct {
	File   string   `json:"file"` // its name without folders
	SHA256 string   `json:"sha256,omitempty"`
	Epoch  *int64   `json:"epoch,omitempty"` // as in the file, counted from 0
	Inert  []string `json:"inert,omitempty"` // tensors of the file that cannot change the output and were left out
}

// Card returns the card of a network of this size. The caller adds what it knows.
func (a Arch) Card(o Options, imageSize int) (Card, error) {
	text, err := a.Write(o)
	if err != nil {
		return Card{}, err
	}
	c := Card{Format: CardFormat, Mode: a.Mode, Base: a.Base, Feature: a.Feature, Blocks: slices.Clone(a.Blocks), ImageSize: imageSize,
		Input: "images [N, 3, H, W], float32 in [0, 1]", Output: "scores [N, 1] in [0, 1]: 1 = real, 0 = generated"}
	if c.Mode == "" {
		c.Mode = FastMode
	}
	if o.Logits {
		c.Output = `dict of "score" [N, 1] in [0, 1] (1 = real) and "logits" [N, 2] (generated, real)`
	}
	for _, sp := range text.Specs {
		if !sp.Buffer {
			c.Parameters += sp.Numel()
		}
	}
	return c, nil
}

// Text is the card as JSON.
func (c Card) Text() string {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("network: card: %v", err)) // Training is not JSON: a mistake of the caller
	}
	return string(b)
}

// ParseCard reads a card. It returns an error when the text is none.
func ParseCard(text string) (Card, error) {
	var c Card
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Card{}, fmt.Errorf("network: card: %.200s", err.Error()) // it quotes numbers of any length
	}
	if !strings.HasPrefix(c.Format, "tigas-train detector ") {
		return Card{}, fmt.Errorf("network: card: got the format %.40q vs %q", c.Format, CardFormat)
	}
	if c.ImageSize < 0 || c.ImageSize > 1<<14 {
		return Card{}, fmt.Errorf("network: card: got the image size %d vs at most %d", c.ImageSize, 1<<14)
	}
	return c, nil
}
