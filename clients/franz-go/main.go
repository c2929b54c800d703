// franz-go as one of Kafka's verifiable clients: see ../README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Fields of a line; the encoder sorts them by name.
type fields = map[string]any

// Output is one JSON object a line. Any goroutine may write; each line is one write.
type Output struct{ sync.Mutex }

func (o *Output) line(name string, of fields) {
	line := fields{"name": name, "timestamp": time.Now().UnixMilli()}
	for key, value := range of {
		line[key] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	o.Lock()
	defer o.Unlock()
	if _, err := os.Stdout.Write(append(text, '\n')); err != nil {
		os.Exit(1)
	}
}

// Flags are those of both roles; the flags of the other role are not defined.
type Flags struct {
	topic, servers, config string
	maxMessages            int
	// The producer's.
	throughput    float64
	acks          int
	valuePrefix   string
	repeatingKeys int
	// The consumer's.
	group, instance, reset, strategy string
	sessionMs                        int
	autocommit, verbose              bool
}

func parse(role string, args []string) (f Flags) {
	set := flag.NewFlagSet("franz-go "+role, flag.ExitOnError)
	set.StringVar(&f.topic, "topic", "", "required")
	set.StringVar(&f.servers, "bootstrap-server", "", "HOST:PORT,...; required")
	set.StringVar(&f.config, "command-config", "", "file with Java properties")
	set.StringVar(&f.config, role+".config", "", "the name of --command-config in Kafka's tools up to 4.1")
	set.IntVar(&f.maxMessages, "max-messages", -1, "ends after so many; -1: only when stopped")
	switch role {
	case "producer":
		set.Float64Var(&f.throughput, "throughput", -1, "messages a second; -1: as many as possible")
		set.IntVar(&f.acks, "acks", -1, "-1, 0 or 1")
		set.StringVar(&f.valuePrefix, "value-prefix", "", "values are PREFIX.0, PREFIX.1 and so on")
		set.IntVar(&f.repeatingKeys, "repeating-keys", 0, "keys are 0 to N-1, again and again")
	case "consumer":
		set.StringVar(&f.group, "group-id", "", "required")
		set.StringVar(&f.instance, "group-instance-id", "", "makes a static member")
		set.StringVar(&f.reset, "reset-policy", "earliest", "earliest, latest or none")
		set.StringVar(&f.strategy, "assignment-strategy", "", "a Java class, or its name without the package")
		set.IntVar(&f.sessionMs, "session-timeout", 0, "milliseconds")
		set.BoolVar(&f.autocommit, "enable-autocommit", false, "the client commits by itself")
		set.BoolVar(&f.verbose, "verbose", false, "prints each record")
	}
	// ExitOnError: it returns no error.
	_ = set.Parse(args)
	if f.topic == "" || f.servers == "" || (role == "consumer" && f.group == "") || set.NArg() > 0 {
		set.Usage()
		os.Exit(1)
	}
	return f
}

func main() {
	roles := map[string]func(context.Context, Flags, *Output) (fields, error){"producer": produce, "consumer": consume}
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: franz-go producer|consumer --topic T --bootstrap-server HOST:PORT,...")
		os.Exit(1)
	}
	role, output := os.Args[1], &Output{}
	flags := parse(role, os.Args[2:])
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	go commands(cancel)
	totals, err := roles[role](stop, flags, output)
	if err != nil {
		// shutdown_complete would claim an orderly end.
		output.line("client_error", fields{"exception": exception(err), "message": err.Error()})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	output.line("shutdown_complete", nil)
	if totals != nil {
		output.line("tool_data", totals)
	}
}

// commands reads standard input: {"stop": true} ends the client as SIGTERM does. The end of the input means nothing.
func commands(stop func()) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var command struct{ Stop bool }
		if err := json.Unmarshal(lines.Bytes(), &command); err != nil {
			fmt.Fprintln(os.Stderr, "not a command:", lines.Text())
		} else if command.Stop {
			stop()
		}
	}
}

func exception(err error) string {
	return strings.TrimLeft(fmt.Sprintf("%T", err), "*")
}

func newClient(f Flags, opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append(opts, kgo.SeedBrokers(strings.Split(f.servers, ",")...),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)))
	settings, err := translate(f.config)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(opts, settings...)...)
}
