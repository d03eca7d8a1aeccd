// Package cuda has what there is to CUDA beside tensors: streams, events, memory and switches. Tensors get to a GPU with
// [torch.CUDA] and need nothing of this package.
//
// It is part of every build, also against a libtorch without CUDA. Where there is none, functions that want a device return
// an error that wraps [ErrNoCUDA] and says what is missing. What this libtorch cannot do although there is CUDA, because the
// program was built without CUDA's headers, is an error that wraps [torch.ErrUnsupported]; [Missing] lists it.
//
// # Streams
//
// A GPU works through queues. What operations queue goes to the stream that the operating-system thread is on, which is
// the default one unless a region says otherwise:
//
//	side, err := cuda.NewStream(torch.CUDA(0))
//	...
//	ready := cuda.NewEvent(s)
//	cuda.On(side, func() {
//		y = x.MatMul(w)          // queued on side
//		err = ready.Record(side)
//	})
//	main, err := cuda.CurrentStream(torch.CUDA(0))
//	err = main.Wait(ready)       // what is queued from now on comes after y
//	err = main.Uses(y)           // y was made on another stream
//
// Memory that a tensor frees may be given to the next tensor of the same stream at once, because that one's work is queued
// behind. A tensor that is used on another stream than it was made on must be announced there with [Stream.Uses], or its
// memory may be written to while the other stream still reads it.
//
// The zero [Stream] is that of the CPU, where work is done when a call returns: waiting for it takes no time, and events on
// it are moments of the host's clock. So a function that is handed a device needs no second form for the CPU.
//
// # Copies beside the work
//
// A copy between host and GPU runs beside the host's work if the host's memory is pinned, see [NewPinned] and [ToAsync].
// [Uploader] does that for batches of bytes.
//
// # Out of memory
//
// When a GPU has no memory for a result, libtorch's cache is emptied and the operation is tried once more, if it is one
// that can be: it changes none of its operands and draws no random numbers, see [Retries]. If that does not help, the error
// wraps [torch.ErrOutOfMemory] and has libtorch's numbers.
package cuda
