package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type option = func(text string) (kgo.Opt, error)

// Settings of Java's clients that are one option of franz-go each.
var simple = map[string]option{
	"batch.size":                            number(kgo.ProducerBatchMaxBytes),
	"client.id":                             func(text string) (kgo.Opt, error) { return kgo.ClientID(text), nil },
	"delivery.timeout.ms":                   millis(kgo.RecordDeliveryTimeout),
	"fetch.max.wait.ms":                     millis(kgo.FetchMaxWait),
	"heartbeat.interval.ms":                 millis(kgo.HeartbeatInterval),
	"linger.ms":                             millis(kgo.ProducerLinger),
	"max.in.flight.requests.per.connection": number(kgo.MaxProduceRequestsInflightPerBroker),
	"max.poll.interval.ms":                  millis(kgo.RebalanceTimeout),
	"metadata.max.age.ms":                   millis(kgo.MetadataMaxAge),
	"request.timeout.ms":                    millis(kgo.ProduceRequestTimeout),
	"retries":                               number(kgo.RecordRetries),
	"compression.type": choice(map[string]kgo.Opt{
		"none":   kgo.ProducerBatchCompression(kgo.NoCompression()),
		"gzip":   kgo.ProducerBatchCompression(kgo.GzipCompression()),
		"snappy": kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		"lz4":    kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		"zstd":   kgo.ProducerBatchCompression(kgo.ZstdCompression()),
	}),
	"enable.idempotence": choice(map[string]kgo.Opt{
		"true": kgo.RequiredAcks(kgo.AllISRAcks()), "false": kgo.DisableIdempotentWrite(),
	}),
	"isolation.level": choice(map[string]kgo.Opt{
		"read_committed":   kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		"read_uncommitted": kgo.FetchIsolationLevel(kgo.ReadUncommitted()),
	}),
}

func number[N ~int | ~int32 | ~int64, O kgo.Opt](of func(N) O) option {
	return func(text string) (kgo.Opt, error) {
		n, err := strconv.Atoi(text)
		return of(N(n)), err
	}
}

func millis[O kgo.Opt](of func(time.Duration) O) option {
	return number(func(n time.Duration) O { return of(n * time.Millisecond) })
}

func choice(of map[string]kgo.Opt) option {
	return func(text string) (kgo.Opt, error) {
		if opt, known := of[text]; known {
			return opt, nil
		}
		return nil, errors.New("not a value of this setting")
	}
}

// translate reads a file of Java properties; without a path there are none.
func translate(path string) ([]kgo.Opt, error) {
	if path == "" {
		return nil, nil
	}
	properties, err := read(path)
	if err != nil {
		return nil, err
	}
	// It removes what it knows.
	opts, err := security(properties)
	for name, text := range properties {
		of, known := simple[name]
		if !known {
			return nil, fmt.Errorf("franz-go has no setting for %s=%s", name, text)
		}
		opt, err := of(text)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", name, text, err)
		}
		opts = append(opts, opt)
	}
	return opts, err
}

func security(properties map[string]string) (opts []kgo.Opt, err error) {
	take := func(name string) (string, bool) {
		text, given := properties[name]
		delete(properties, name)
		return text, given
	}
	protocol, _ := take("security.protocol")
	mechanism, _ := take("sasl.mechanism")
	login, _ := take("sasl.jaas.config")
	authorities, _ := take("ssl.truststore.location")
	own, _ := take("ssl.keystore.location")
	algorithm, given := take("ssl.endpoint.identification.algorithm")
	for _, name := range []string{"ssl.truststore.type", "ssl.keystore.type"} {
		if kind, given := take(name); given && kind != "PEM" {
			return nil, fmt.Errorf("%s=%s: franz-go reads files of the type PEM", name, kind)
		}
	}
	if strings.HasSuffix(protocol, "SSL") {
		config, err := encryption(authorities, own, given && algorithm == "")
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if strings.HasPrefix(protocol, "SASL_") {
		mechanism, err := authentication(mechanism, login)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

func encryption(authorities, own string, anyHost bool) (*tls.Config, error) {
	config := &tls.Config{}
	if authorities != "" {
		pem, err := os.ReadFile(authorities)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in the form PEM", authorities)
		}
	}
	if own != "" {
		pair, err := tls.LoadX509KeyPair(own, own)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if anyHost {
		// What is left of the check without the host's name: that the certificate is of a known authority.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			between := x509.NewCertPool()
			for _, each := range state.PeerCertificates[1:] {
				between.AddCert(each)
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: config.RootCAs, Intermediates: between,
			})
			return err
		}
	}
	return config, nil
}

func authentication(mechanism, login string) (sasl.Mechanism, error) {
	quoted := map[string]string{}
	for _, each := range regexp.MustCompile(`(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(login, -1) {
		quoted[each[1]] = regexp.MustCompile(`\\(.)`).ReplaceAllString(each[2], "$1")
	}
	user, pass := quoted["username"], quoted["password"]
	if user == "" {
		return nil, errors.New(`sasl.jaas.config: expected username="..." password="..."`)
	}
	switch mechanism {
	case "PLAIN":
		return plain.Auth{User: user, Pass: pass}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: pass}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: pass}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("sasl.mechanism=%s: this client has PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512", mechanism)
}

var (
	continued = regexp.MustCompile(`(?m)(^|[^\\])((?:\\\\)*)\\\n[ \t]*`)
	property  = regexp.MustCompile(`^([^=:\s]+)\s*[=:]?\s*(.*)$`)
	escape    = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	escaped   = map[string]string{`\t`: "\t", `\n`: "\n", `\r`: "\r", `\f`: "\f"}
)

// read gives the settings of a file of Java properties.
func read(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for _, line := range strings.Split(continued.ReplaceAllString(string(text), "$1$2"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.ContainsRune("#!", rune(line[0])) {
			continue
		}
		found := property.FindStringSubmatch(line)
		settings[found[1]] = escape.ReplaceAllStringFunc(found[2], unescape)
	}
	return settings, nil
}

func unescape(text string) string {
	if plain, known := escaped[text]; known {
		return plain
	}
	if code, err := strconv.ParseUint(strings.TrimPrefix(text, `\u`), 16, 16); err == nil && len(text) == 6 {
		return string(rune(code))
	}
	return text[1:]
}
