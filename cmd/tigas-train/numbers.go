package main

import (
	"strconv"
	"strings"
)

// numbers is a flag of numbers with commas between them. Its text has all their digits: pflag's has six.
type numbers []float64

func (n *numbers) String() string {
	var l []string
	for _, v := range *n {
		l = append(l, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strings.Join(l, ",")
}

// Set takes the place of what was there. An empty text is none.
func (n *numbers) Set(text string) error {
	*n = nil
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return err
		}
		*n = append(*n, v)
	}
	return nil
}

func (n *numbers) Type() string { return "float64Slice" }
