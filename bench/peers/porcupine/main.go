// Porcupine on one register: a history from standard input, a verdict as JSON.
//
// A line is an operation: f (0 read, 1 write, 2 compare-and-set), two arguments, whether it was
// answered, the answer, and the positions of its call and return. The checker alone is timed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
)

type input struct{ f, a, b int }
type output struct {
	known bool
	value int
}

var register = porcupine.Model{
	Init: func() interface{} { return -1 },
	Step: func(state, in, out interface{}) (bool, interface{}) {
		i, o, s := in.(input), out.(output), state.(int)
		switch i.f {
		case 0:
			return !o.known || o.value == s, state
		case 1:
			return true, i.a
		}
		if o.known && (o.value == 1) != (s == i.a) {
			return false, state
		}
		if s == i.a {
			return true, i.b
		}
		return true, state
	},
	Hash: func(state interface{}) uint64 { return uint64(state.(int)) * 0x9E3779B97F4A7C15 },
}

func main() {
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		panic(err)
	}
	var history []porcupine.Operation
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var f, a, b, known, value int
		var call, end int64
		if _, err := fmt.Sscan(lines.Text(), &f, &a, &b, &known, &value, &call, &end); err != nil {
			panic(err)
		}
		if end < 0 {
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{
			Input: input{f, a, b}, Call: call, Output: output{known == 1, value}, Return: end,
		})
	}
	began, spent := time.Now(), processor()
	verdict := porcupine.CheckOperationsTimeout(register, history, time.Duration(seconds*1e9))
	told := map[string]interface{}{
		"verdict": verdict,
		"seconds": time.Since(began).Seconds(),
		"cpu_s":   (processor() - spent).Seconds(),
	}
	json.NewEncoder(os.Stdout).Encode(told)
}

// What this process has used of the processor, its garbage collector included.
func processor() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
