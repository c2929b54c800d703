package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const mostRecords = 500

var balancers = map[string]kgo.GroupBalancer{
	"RangeAssignor":             kgo.RangeBalancer(),
	"RoundRobinAssignor":        kgo.RoundRobinBalancer(),
	"StickyAssignor":            kgo.StickyBalancer(),
	"CooperativeStickyAssignor": kgo.CooperativeStickyBalancer(),
}

func consumerOptions(f Flags, output *Output) ([]kgo.Opt, error) {
	changed := func(name string) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(ctx context.Context, client *kgo.Client, of map[string][]int32) {
			if name == "partitions_revoked" && f.autocommit {
				// franz-go leaves this last commit to whoever replaces its own callback.
				if err := client.CommitUncommittedOffsets(ctx); err != nil {
					fmt.Fprintln(os.Stderr, "commit:", err)
				}
			}
			output.line(name, fields{"partitions": places(of)})
		}
	}
	opts := []kgo.Opt{
		kgo.ConsumeTopics(f.topic), kgo.ConsumerGroup(f.group),
		// As in Java's client: partitions change hands only between two polls.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(changed("partitions_assigned")),
		kgo.OnPartitionsRevoked(changed("partitions_revoked")),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, of map[string][]int32) {
			output.line("partitions_revoked", fields{"partitions": places(of)})
		}),
	}
	switch f.reset {
	case "earliest":
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	case "latest":
		opts = append(opts, kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	case "none":
		opts = append(opts, kgo.ConsumeStartOffset(kgo.NewOffset().AtCommitted()),
			kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	default:
		return nil, fmt.Errorf("--reset-policy %s: earliest, latest or none", f.reset)
	}
	if f.strategy != "" {
		balancer, known := balancers[f.strategy[strings.LastIndex(f.strategy, ".")+1:]]
		if !known {
			return nil, fmt.Errorf("--assignment-strategy %s: franz-go has no such balancer", f.strategy)
		}
		opts = append(opts, kgo.Balancers(balancer))
	}
	if !f.autocommit {
		opts = append(opts, kgo.DisableAutoCommit())
	}
	if f.sessionMs > 0 {
		opts = append(opts, kgo.SessionTimeout(time.Duration(f.sessionMs)*time.Millisecond))
	}
	if f.instance != "" {
		opts = append(opts, kgo.InstanceID(f.instance))
	}
	return opts, nil
}

func consume(stop context.Context, f Flags, output *Output) (fields, error) {
	opts, err := consumerOptions(f, output)
	if err != nil {
		return nil, err
	}
	client, err := newClient(f, opts...)
	if err != nil {
		return nil, err
	}
	defer client.CloseAllowingRebalance()
	output.line("startup_complete", nil)
	for left := f.maxMessages; left != 0 && stop.Err() == nil; {
		most := mostRecords
		if left > 0 {
			most = min(left, most)
		}
		polled := client.PollRecords(stop, most)
		for _, each := range polled.Errors() {
			if f.reset == "none" {
				return nil, each.Err
			}
			if !errors.Is(each.Err, context.Canceled) {
				fmt.Fprintf(os.Stderr, "%s/%d: %v\n", each.Topic, each.Partition, each.Err)
			}
		}
		if records := polled.Records(); len(records) > 0 {
			offsets := output.consumed(records, f.verbose)
			if !f.autocommit {
				output.committed(offsets, client.CommitRecords(context.Background(), records...))
			}
			if left > 0 {
				left -= len(records)
			}
		}
		client.AllowRebalance()
	}
	return nil, nil
}

// consumed prints what one poll gave, and returns the offsets to commit as they are printed.
func (o *Output) consumed(records []*kgo.Record, verbose bool) []fields {
	var partitions, offsets []fields
	at := map[string]int{}
	for _, each := range records {
		if verbose {
			of := fields{"topic": each.Topic, "partition": each.Partition, "offset": each.Offset, "key": nil, "value": nil}
			if each.Key != nil {
				of["key"] = string(each.Key)
			}
			if each.Value != nil {
				of["value"] = string(each.Value)
			}
			o.line("record_data", of)
		}
		place := fmt.Sprint(each.Topic, "/", each.Partition)
		index, known := at[place]
		if !known {
			index = len(partitions)
			at[place] = index
			of := fields{"topic": each.Topic, "partition": each.Partition, "count": 0, "minOffset": each.Offset}
			partitions = append(partitions, of)
			offsets = append(offsets, fields{"topic": each.Topic, "partition": each.Partition})
		}
		partitions[index]["count"] = partitions[index]["count"].(int) + 1
		partitions[index]["maxOffset"] = each.Offset
		offsets[index]["offset"] = each.Offset + 1
	}
	o.line("records_consumed", fields{"count": len(records), "partitions": partitions})
	return offsets
}

func (o *Output) committed(offsets []fields, err error) {
	of := fields{"offsets": offsets, "success": err == nil}
	if err != nil {
		of["error"] = err.Error()
	}
	o.line("offsets_committed", of)
}

func places(of map[string][]int32) []fields {
	places := []fields{}
	for topic, partitions := range of {
		sort.Slice(partitions, func(a, b int) bool { return partitions[a] < partitions[b] })
		for _, each := range partitions {
			places = append(places, fields{"topic": topic, "partition": each})
		}
	}
	return places
}
