package jit

import (
	"fmt"
	"strings"
)

// maxNesting is far above what people write and far below what fills the stack of libtorch's recursive parser and compiler.
const maxNesting = 1000

// checkSource refuses texts that are nested too deeply: by brackets, by operators one after the other (a + a + a is
// ((a + a) + a)), by blocks, and by elif, which is an else with an if in it. Strings and comments are not told from code, as
// nobody writes such in them either.
func checkSource(source string) error {
	counts := []int{0} // operators of each open bracket, since the last comma
	depth := 0         // the brackets, and the sum of counts
	elif := strings.Count(source, "elif")
	if elif > maxNesting {
		return fmt.Errorf("got source with more than %d times elif", maxNesting)
	}
	top := func() *int { return &counts[len(counts)-1] }
	blank, indent, word := true, 0, 0
	for i := range len(source) {
		c := source[i]
		if c == '\n' && len(counts) == 1 {
			depth, counts[0], blank, indent = 0, 0, true, 0
			continue
		}
		if blank = blank && (c == ' ' || c == '\t'); blank {
			if indent++; indent > maxNesting {
				return fmt.Errorf("got source that is indented by more than %d", maxNesting)
			}
		}
		if 'a' <= c && c <= 'z' {
			word++
			continue
		}
		if word >= 2 && word <= 4 { // and, or, not, if, else, in, is: an operator between words has no other sign
			switch source[i-word : i] {
			case "and", "or", "not", "if", "else", "in", "is":
				*top()++
				depth++
			}
		}
		word = 0
		switch c {
		case '(', '[', '{':
			counts = append(counts, 0)
			depth++
		case ')', ']', '}':
			if len(counts) > 1 { // else it stands in a string
				depth -= *top() + 1
				counts = counts[:len(counts)-1]
			}
		case ',':
			depth -= *top()
			*top() = 0
		case '+', '-', '*', '/', '%', '@', '&', '|', '^', '~', '<', '>', '=', '!', '.':
			*top()++
			depth++
		}
		if depth > maxNesting {
			return fmt.Errorf("got source with more than %d brackets inside each other, or operators after each other", maxNesting)
		}
	}
	return nil
}
