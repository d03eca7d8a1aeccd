package sched

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Any holds any schedule of this package in JSON, for the fields of a configuration. The JSON object names the type
// and has every parameter:
//
//	{"type":"linear","from":0,"to":0.1,"over":"10epoch"}
//
// A schedule of this package can be written without Any too, with the same result; reading one needs Any, because
// only the tag says which type it is. Schedules of other packages are refused. An Any without a schedule is null.
type Any struct{ Schedule }

// kinds lists the types, their JSON fields, and how each is read. A missing or unknown field is an error: a silently
// wrong schedule would waste a whole run.
var kinds = map[string]struct {
	fields []string
	decode func([]byte) (Schedule, error)
}{}

func init() { // in init, because decoding a chain needs the table again
	register[Constant]("value")
	register[Switch]("before", "after", "until")
	register[Linear]("from", "to", "over")
	register[Cosine]("from", "to", "over")
	register[LinearDecay]("value", "over")
	register[DelayedStart]("start", "inner")
	register[Chain]("first", "for", "then")
}

// tagged is what every type of this package has beside At: the value of "type" in JSON.
type tagged interface {
	Schedule
	Validate() error
	kind() string
}

func register[T tagged](fields ...string) {
	var zero T
	k := kinds[zero.kind()]
	k.fields = fields
	k.decode = func(body []byte) (Schedule, error) {
		var s T
		if err := json.Unmarshal(body, &s); err != nil {
			return nil, err
		}
		return s, s.Validate()
	}
	kinds[zero.kind()] = k
}

func (Constant) kind() string     { return "constant" }
func (Switch) kind() string       { return "switch" }
func (Linear) kind() string       { return "linear" }
func (Cosine) kind() string       { return "cosine" }
func (LinearDecay) kind() string  { return "lineardecay" }
func (DelayedStart) kind() string { return "delayed" }
func (Chain) kind() string        { return "chain" }

// MarshalJSON writes the schedule with its type tag. It fails for schedules of other packages and invalid ones.
func (a Any) MarshalJSON() ([]byte, error) {
	if a.Schedule == nil {
		return []byte("null"), nil
	}
	s, ok := a.Schedule.(tagged)
	if !ok {
		return nil, fmt.Errorf("sched: json: cannot write a schedule of type %T", a.Schedule)
	}
	return json.Marshal(s)
}

// What nobody writes by hand or by program. Every level reads all that is in it again, so that the work is the product.
const (
	maxText  = 64 << 10 // bytes
	maxDepth = 256      // schedules inside each other
)

// UnmarshalJSON reads a schedule by its type tag and validates it. It fails for an unknown type and for a missing or
// unknown parameter.
func (a *Any) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		a.Schedule = nil
		return nil
	}
	if len(data) > maxText {
		return fmt.Errorf("sched: json: too long: got %d bytes, want at most %d", len(data), maxText)
	}
	if d := depth(data); d > maxDepth {
		return fmt.Errorf("sched: json: too many schedules inside each other: got %d, want at most %d", d, maxDepth)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("sched: json: want an object with a type: %w", err)
	}
	var kind string
	if err := json.Unmarshal(fields["type"], &kind); err != nil {
		return fmt.Errorf("sched: json: type is missing or not a string")
	}
	k, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("sched: json: unknown type: got %s", quote(kind))
	}
	for _, f := range k.fields {
		if raw, ok := fields[f]; !ok || string(raw) == "null" {
			return fmt.Errorf("sched: json: %s: %s is missing", kind, f)
		}
	}
	for f := range fields {
		if f != "type" && !slices.Contains(k.fields, f) {
			return fmt.Errorf("sched: json: %s: unknown parameter %s", kind, quote(f))
		}
	}
	s, err := k.decode(data)
	if err != nil {
		return fmt.Errorf("sched: json: %s: %w", kind, err)
	}
	a.Schedule = s
	return nil
}

// depth is how many objects are inside each other.
func depth(data []byte) (most int) {
	now, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{':
			now++
			most = max(most, now)
		case c == '}':
			now--
		}
	}
	return most
}

// withTag writes v, a struct with at least one field, with the type tag in front.
func withTag(s tagged, v any) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return append([]byte(`{"type":"`+s.kind()+`",`), body[1:]...), nil
}

// MarshalJSON writes the schedule as [Any] describes.
func (s Constant) MarshalJSON() ([]byte, error) {
	type plain Constant // without the method, so that it does not call itself
	return withTag(s, plain(s))
}

// MarshalJSON writes the schedule as [Any] describes.
func (s Switch) MarshalJSON() ([]byte, error) {
	type plain Switch
	return withTag(s, plain(s))
}

// MarshalJSON writes the schedule as [Any] describes.
func (s Linear) MarshalJSON() ([]byte, error) {
	type plain Linear
	return withTag(s, plain(s))
}

// MarshalJSON writes the schedule as [Any] describes.
func (s Cosine) MarshalJSON() ([]byte, error) {
	type plain Cosine
	return withTag(s, plain(s))
}

// MarshalJSON writes the schedule as [Any] describes.
func (s LinearDecay) MarshalJSON() ([]byte, error) {
	type plain LinearDecay
	return withTag(s, plain(s))
}

// delayedJSON and chainJSON hold the parts as Any, so that their types are kept.
type delayedJSON struct {
	Start Span `json:"start"`
	Inner Any  `json:"inner"`
}

type chainJSON struct {
	First Any  `json:"first"`
	For   Span `json:"for"`
	Then  Any  `json:"then"`
}

// MarshalJSON writes the schedule as [Any] describes.
func (s DelayedStart) MarshalJSON() ([]byte, error) {
	return withTag(s, delayedJSON{s.Start, Any{s.Inner}})
}

// UnmarshalJSON reads the parameters; [Any] is the way to read a schedule of unknown type.
func (s *DelayedStart) UnmarshalJSON(data []byte) error {
	var v delayedJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*s = DelayedStart{v.Start, v.Inner.Schedule}
	return nil
}

// MarshalJSON writes the schedule as [Any] describes.
func (s Chain) MarshalJSON() ([]byte, error) {
	return withTag(s, chainJSON{Any{s.First}, s.For, Any{s.Then}})
}

// UnmarshalJSON reads the parameters; [Any] is the way to read a schedule of unknown type.
func (s *Chain) UnmarshalJSON(data []byte) error {
	var v chainJSON
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*s = Chain{v.First.Schedule, v.For, v.Then.Schedule}
	return nil
}
