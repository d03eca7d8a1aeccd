package jit

import "errors"

// checkRanges looks at what a pickle *.debug_pkl made: where in somebody's Python each piece of code came from, for the texts
// of errors. libtorch reads it only then, and believes every place in it.
//
// Before torch 1.13 it is rows of (place, tag, ((text, file, line), start, end)), the tag being newer. Since then a text is a list of
// numbers of lines in a table, and all is ("FORMAT_WITH_STRING_TABLE", table, rows) with the tag at the end of a row.
func checkRanges(root *item) error {
	if root.kind != tuple {
		return errors.New("got no table of source ranges")
	}
	rows, table := root.items, []*item(nil)
	at, length := 0, 2 // of the range in a row
	if l := root.items; len(l) > 0 && l[0].kind == text {
		if !kinds(l, text, tuple, tuple) || l[0].text != "FORMAT_WITH_STRING_TABLE" || len(l[1].items) == 0 {
			return errors.New("got no table of source ranges")
		}
		rows, table = l[2].items, l[1].items
		for _, s := range table {
			if s.kind != text {
				return errors.New("got a table of something else than texts")
			}
		}
		at, length = 1, 3
	}
	if len(rows) == 0 && table == nil {
		return errors.New("got no table of source ranges")
	}
	for _, row := range rows {
		if row.kind != tuple || len(row.items) < length || len(row.items) > 3 || row.items[0].kind != integer {
			return errors.New("got a source range that is none")
		}
		if table == nil {
			at = len(row.items) - 1
		}
		if !validRange(row.items[at], table) {
			return errors.New("got a source range that is none")
		}
	}
	return nil
}

func validRange(r *item, table []*item) bool {
	if !kinds(r.tuple(), tuple, integer, integer) {
		return false
	}
	source, start, end := r.items[0].items, r.items[1].number, r.items[2].number
	n := int64(0)
	if table == nil {
		if !kinds(source, text, text, integer) && !kinds(source, text, none, integer) {
			return false
		}
		n = int64(len(source[0].text))
	} else {
		if !kinds(source, other, integer, integer) || source[0].text != intList || !indexes(source[1:2], table) || !indexes(source[0].items, table) {
			return false
		}
		for _, i := range source[0].items {
			n += int64(len(table[i.number].text))
		}
	}
	return 0 <= start && start <= min(end, n) // some end behind their text, which libtorch knows
}

// indexes tells whether the items are numbers of table's.
func indexes(l, table []*item) bool {
	for _, i := range l {
		if i.kind != integer || i.number < 0 || i.number >= int64(len(table)) {
			return false
		}
	}
	return true
}
