package tensorboard

import "bytes"

// Field numbers of event.proto, summary.proto, tensor.proto and tensor_shape.proto in tensorboard/compat/proto.
const (
	eventWallTime    = 1
	eventStep        = 2
	eventFileVersion = 3
	eventSummary     = 5
	eventSessionLog  = 7

	sessionLogStatus = 1
	sessionStart     = 1 // of SessionStatus

	summaryValue = 1

	valueTag      = 1
	valueSimple   = 2
	valueImage    = 4
	valueHisto    = 5
	valueTensor   = 8
	valueMetadata = 9

	imageHeight     = 1
	imageWidth      = 2
	imageColorspace = 3
	imageEncoded    = 4

	tensorDtype     = 1
	tensorShape     = 2
	tensorStringVal = 8
	dtString        = 7 // of DataType
	shapeDim        = 2
	dimSize         = 1

	metadataPluginData = 1
	pluginDataName     = 1
)

// Restart says that the run goes on from an earlier state and makes step and what follows it again: readers drop what the
// files of this folder have so far from this step on, itself included. It belongs before the first value of a run that goes
// on; step is the first that the run makes, that of the state plus one. A new run needs none.
//
// The record is a SessionLog with the status START, twice: the reader that is written in Python takes the first one that it
// finds in a folder for the start of the run, and drops values only from the second on (plugin_event_accumulator.py). The
// one in Rust, TensorBoard's usual one, ignores the record, and drops for each tag what is not before the step that the tag
// gets next (data/server/reservoir.rs): to the same end, once every tag has got a value.
func (w *Writer) Restart(step int64) {
	for range 2 {
		w.event(step, message(nil).bytes(eventSessionLog, message(nil).varint(sessionLogStatus, sessionStart)))
	}
}

// Scalar adds one number: a point of the chart named tag, whose part before the first slash is the section it is shown in.
// The file holds it as float32; beyond that range it is infinite. TensorBoard marks what is not finite in the chart.
//
// The steps of a tag, of any kind of value, have to grow: TensorBoard takes one that does not for a restart, and drops what
// the tag has from there on.
func (w *Writer) Scalar(tag string, step int64, v float64) {
	w.value(step, newValue(tag).float(valueSimple, float32(v)))
}

// Image adds a picture, the bytes of a PNG file, with its size in pixels. TensorBoard shows the file as it is, and of a tag
// only ten pictures unless it is started with --samples_per_plugin images=N.
func (w *Writer) Image(tag string, step int64, png []byte, height, width int) {
	image := message(nil).varint(imageHeight, uint64(height)).varint(imageWidth, uint64(width)).
		varint(imageColorspace, colorspace(png)).bytes(imageEncoded, png)
	w.value(step, newValue(tag).bytes(valueImage, image))
}

// colorspace is summary.proto's number for what the header of a PNG file says; RGB if that is none.
func colorspace(png []byte) uint64 {
	const colorType = 25 // after the signature, the chunk's length and name, width, height and depth
	if len(png) > colorType && bytes.HasPrefix(png, []byte("\x89PNG\r\n\x1a\n")) {
		switch png[colorType] {
		case 0:
			return 1 // grayscale
		case 4:
			return 2 // grayscale and alpha
		case 6:
			return 4 // RGBA
		}
	}
	return 3 // RGB; a palette has these too
}

// Text adds a text, such as a configuration, which TensorBoard shows as Markdown: indented by four spaces it stays as it is.
func (w *Writer) Text(tag string, step int64, text string) {
	shape := message(nil).bytes(shapeDim, message(nil).varint(dimSize, 1))
	tensor := message(nil).varint(tensorDtype, dtString).bytes(tensorShape, shape).text(tensorStringVal, text)
	metadata := message(nil).bytes(metadataPluginData, message(nil).text(pluginDataName, "text"))
	w.value(step, newValue(tag).bytes(valueTensor, tensor).bytes(valueMetadata, metadata))
}

func newValue(tag string) message { return message(nil).text(valueTag, tag) }

// value adds an event with one value.
func (w *Writer) value(step int64, v message) {
	w.event(step, message(nil).bytes(eventSummary, message(nil).bytes(summaryValue, v)))
}

// event adds a record: what happened, one field of an Event, at step and now.
func (w *Writer) event(step int64, what message) {
	if w.err != nil {
		return // not kept for a file that gets nothing more
	}
	now := w.now()
	seconds := float64(now.Unix()) + float64(now.Nanosecond())/1e9
	e := message(nil).double(eventWallTime, seconds).varint(eventStep, uint64(step))
	w.buf = appendRecord(w.buf, append(e, what...))
}
