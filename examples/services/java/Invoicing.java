import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Writes an invoice to the topic TO for each order in the topic FROM, exactly once: the invoices of a batch and the
 * offsets of its orders are one transaction.
 *
 * <p>NO_IDEMPOTENCE=1 is the planted mistake: a plain producer without transactions, and offsets committed after a
 * batch. A service that is killed in the middle of a batch writes the first invoices of it again when it restarts.
 */
public class Invoicing {
    static final Map<String, String> ENV = System.getenv();
    static final String FROM = ENV.get("FROM");
    static final String GROUP = ENV.get("GROUP");
    static final boolean EXACTLY_ONCE = !"1".equals(ENV.get("NO_IDEMPOTENCE"));
    static final String BATCH = ENV.getOrDefault("BATCH", "20");
    // A batch takes BATCH times as long, so that a kill almost always comes in the middle of one.
    static final long WORK_MS = Long.parseLong(ENV.getOrDefault("WORK_MS", "5"));
    static final Pattern ID = Pattern.compile("\"id\"\\s*:\\s*\"([^\"]*)\"");
    static volatile boolean ended;

    public static void main(String[] args) throws InterruptedException {
        Thread service = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            ended = true;
            try {
                service.join();
            } catch (InterruptedException e) {
                // The JVM ends anyway.
            }
        }));
        while (!ended) {
            try (var consumer = consumer(); var producer = producer()) {
                serve(consumer, producer);
            } catch (KafkaException | ExecutionException e) {
                // A new producer of the same transactional id aborts what the old one left open, and a new consumer
                // begins at the committed offsets.
                System.err.println("starting again: " + e);
            }
        }
    }

    static void serve(KafkaConsumer<String, String> consumer, KafkaProducer<String, String> producer)
            throws InterruptedException, ExecutionException {
        if (EXACTLY_ONCE) {
            producer.initTransactions();
        }
        consumer.subscribe(List.of(FROM), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                System.out.println("subscribed to " + FROM + " as " + GROUP);
            }

            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
        });
        while (!ended) {
            var orders = consumer.poll(Duration.ofMillis(500));
            if (orders.isEmpty()) {
                continue;
            }
            if (EXACTLY_ONCE) {
                producer.beginTransaction();
            }
            Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
            Future<RecordMetadata> newest = null;
            int number = 0;
            for (ConsumerRecord<String, String> order : orders) {
                if (number++ == orders.count() / 2) {
                    System.out.println("halfway through " + orders.count() + " orders");
                }
                Thread.sleep(WORK_MS);
                newest = producer.send(new ProducerRecord<>(ENV.get("TO"), order.key(), invoice(order.value())));
                var place = new TopicPartition(order.topic(), order.partition());
                offsets.put(place, new OffsetAndMetadata(order.offset() + 1));
            }
            if (EXACTLY_ONCE) {
                producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
                producer.commitTransaction();
            } else {
                producer.flush();
                newest.get();
                consumer.commitSync(offsets);
            }
        }
    }

    static String invoice(String order) {
        Matcher id = ID.matcher(order);
        if (!id.find()) {
            throw new IllegalArgumentException("an order without id: " + order);
        }
        return "{\"invoice\": true, \"id\": \"" + id.group(1) + "\"}";
    }

    static KafkaConsumer<String, String> consumer() {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", ENV.get("KAFKA_BOOTSTRAP"));
        config.put("group.id", GROUP);
        config.put("auto.offset.reset", "earliest");
        config.put("enable.auto.commit", false);
        config.put("isolation.level", "read_committed");
        config.put("max.poll.records", BATCH);
        // So long a killed service keeps its partitions.
        config.put("session.timeout.ms", 10_000);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static KafkaProducer<String, String> producer() {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", ENV.get("KAFKA_BOOTSTRAP"));
        config.put("linger.ms", 0);
        if (EXACTLY_ONCE) {
            // Each instance needs an id of its own, the same after a restart.
            config.put("transactional.id", GROUP + "-" + ENV.getOrDefault("INSTANCE", "1"));
        } else {
            config.put("enable.idempotence", false);
        }
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }
}
