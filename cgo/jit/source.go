package jit

import (
	"fmt"
	"strings"
)

// maxNesting is far above what people write and far below what fills the stack of libtorch's recursive parser and compiler.
const maxNesting = 1000

// checkSource refuses texts that are nested too deeply: by brackets, by operators one after the other (a + a + a is
// ((a + a) + a), and f(x)(x) is no better), by blocks, and by elif, which is an else with an if in it.
func checkSource(source string) error {
	if strings.Count(source, "elif") > maxNesting {
		return fmt.Errorf("got source with more than %d times elif", maxNesting)
	}
	n := nesting{inside: []int{0}}
	for i := 0; i < len(source); {
		if c := source[i]; i == 0 || c == '\n' && len(n.inside) == 1 { // a statement begins
			n = nesting{inside: n.inside[:1]}
			n.inside[0] = 0
			blank := source[i : len(source)-len(strings.TrimLeft(source[i:], "\n \t"))]
			if indent := len(blank) - 1 - strings.LastIndexByte(blank, '\n'); indent > maxNesting {
				return fmt.Errorf("got source that is indented by more than %d", maxNesting)
			}
			if i += len(blank); blank != "" {
				continue
			}
		}
		switch c := source[i]; {
		case c == '"' || c == '\'':
			i = stringEnd(source, i)
		case c == '#' && !strings.HasPrefix(strings.TrimLeft(source[i+1:], " "), "type:"): // those are parsed
			if end := strings.IndexByte(source[i:], '\n'); end >= 0 {
				i += end
			} else {
				i = len(source)
			}
		case c == '\\' && i+1 < len(source) && source[i+1] == '\n': // the statement goes on
			i += 2
		case isWord(c):
			from := i
			for i < len(source) && isWord(source[i]) {
				i++
			}
			switch source[from:i] {
			case "and", "or", "not", "if", "else", "in", "is", "lambda":
				n.operator()
			}
		default:
			n.sign(c)
			i++
		}
		if n.depth > maxNesting {
			return fmt.Errorf("got source with more than %d brackets inside each other, or operators after each other", maxNesting)
		}
	}
	return nil
}

// nesting is how deep a place in a statement is.
type nesting struct {
	inside []int // operators since the last comma, of the statement and of each open bracket
	depth  int   // brackets and operators
}

func (n *nesting) operator() {
	n.inside[len(n.inside)-1]++
	n.depth++
}

func (n *nesting) sign(c byte) {
	last := len(n.inside) - 1
	switch c {
	case '(', '[', '{':
		n.inside = append(n.inside, 0)
		n.depth++
	case ')', ']', '}':
		if last > 0 {
			n.depth -= 1 + n.inside[last]
			n.inside = n.inside[:last]
			n.operator() // what follows may be another pair, of what these are a part
		}
	case ',':
		n.depth -= n.inside[last]
		n.inside[last] = 0
	case '+', '-', '*', '/', '%', '@', '&', '|', '^', '~', '<', '>', '=', '!', '.':
		n.operator()
	}
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

// stringEnd is where the string ends that begins at i, as libtorch finds it; after the quote where there is no end.
func stringEnd(s string, i int) int {
	quote := s[i : i+1]
	if three := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], three) {
		quote = three
	}
	for k := i + len(quote); k < len(s); k++ {
		switch {
		case strings.HasPrefix(s[k:], quote):
			return k + len(quote)
		case s[k] == '\n' && len(quote) == 1:
			return i + 1
		case s[k] == '\\':
			k++
		}
	}
	return i + 1
}
