package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// As many as kgo.MaxBufferedRecords allows: Produce would wait for a place, and a signal would not wake it.
	mostUnacknowledged = 10_000
	// How long a stopped producer waits for answers: by itself franz-go waits for ever.
	patience = 30 * time.Second
)

func produce(stop context.Context, f Flags, output *Output) (fields, error) {
	acks, known := map[int]kgo.Acks{-1: kgo.AllISRAcks(), 0: kgo.NoAck(), 1: kgo.LeaderAck()}[f.acks]
	if !known {
		return nil, fmt.Errorf("--acks %d: -1, 0 or 1", f.acks)
	}
	opts := []kgo.Opt{kgo.RequiredAcks(acks)}
	if f.acks != -1 {
		// franz-go is idempotent by default, and refuses other acks then.
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	client, err := newClient(f, opts...)
	if err != nil {
		return nil, err
	}
	output.line("startup_complete", nil)
	started, sent := time.Now(), 0
	var acked atomic.Int64
	places := make(chan struct{}, mostUnacknowledged)
	for ; sent != f.maxMessages; sent++ {
		due := time.Now()
		if f.throughput > 0 {
			due = started.Add(time.Duration(float64(sent) / f.throughput * float64(time.Second)))
		}
		if !claim(stop, time.Until(due), places) {
			break
		}
		record := &kgo.Record{Topic: f.topic, Value: []byte(value(f, sent))}
		of := fields{"key": nil, "value": string(record.Value), "topic": f.topic, "sent_ms": due.UnixMilli()}
		if f.repeatingKeys > 0 {
			record.Key = []byte(strconv.Itoa(sent % f.repeatingKeys))
			of["key"] = string(record.Key)
		}
		client.Produce(context.Background(), record, func(record *kgo.Record, err error) {
			<-places
			if err != nil {
				of["exception"], of["message"] = exception(err), err.Error()
				output.line("producer_send_error", of)
				return
			}
			of["partition"], of["offset"] = record.Partition, record.Offset
			if f.acks == 0 {
				// No broker answers: franz-go would report 0.
				of["offset"] = -1
			}
			acked.Add(1)
			output.line("producer_send_success", of)
		})
	}
	ending, cancel := context.WithCancel(context.Background())
	defer cancel()
	context.AfterFunc(stop, func() { time.AfterFunc(patience, cancel) })
	_ = client.Flush(ending)
	// Fails what is not answered, and each failure is printed.
	client.Close()
	rate := float64(acked.Load()) / time.Since(started).Seconds()
	return fields{"sent": sent, "acked": acked.Load(), "target_throughput": f.throughput, "avg_throughput": rate}, nil
}

// claim waits until a message is due and has a place among the unacknowledged ones; false when the client is stopped.
func claim(stop context.Context, wait time.Duration, places chan<- struct{}) bool {
	if wait > 0 {
		select {
		case <-stop.Done():
		case <-time.After(wait):
		}
	}
	if stop.Err() != nil {
		return false
	}
	select {
	case <-stop.Done():
		return false
	case places <- struct{}{}:
		return true
	}
}

func value(f Flags, number int) string {
	if f.valuePrefix == "" {
		return strconv.Itoa(number)
	}
	return f.valuePrefix + "." + strconv.Itoa(number)
}
