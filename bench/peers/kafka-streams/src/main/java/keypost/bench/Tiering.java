package keypost.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Tiering's core job as Kafka Streams does it, exactly_once_v2 on RocksDB: identities kept for ever, totals of a
 * customer by line and year, and a change when a threshold of city-default is reached. It checks no field beyond what
 * it uses, holds nothing in suspense and keeps no ledger.
 *
 * <p>Usage: Tiering CLIENT.properties IN OUT COUNT STATE_DIR THREADS COMMIT_MS. With COUNT 0 it runs until it is
 * stopped. Every other setting of Kafka Streams comes from the properties. Prints RUNNING, FIRST ms, AT ms count, DONE
 * ms count.
 */
public final class Tiering {
  private static final String[] TIERS = {"none", "ordinary", "silver", "gold", "diamond"};
  private static final long[] THRESHOLDS_FEN = {1_000_000, 5_000_000, 20_000_000, 100_000_000};
  private static final List<String> LINES =
      List.of("letters", "logistics", "express", "parcels", "press", "finance", "information", "philately");
  private static final Map<String, Integer> LINE_NUMBER = new HashMap<>();
  private static final byte[] TYPE = "keypost.counter.transaction.v1".getBytes(StandardCharsets.UTF_8);
  private static final byte[] PRESENT = {1};
  private static final LongAdder processed = new LongAdder();
  private static volatile long firstMs;

  static {
    for (int line = 0; line < LINES.size(); line++) {
      LINE_NUMBER.put(LINES.get(line), line);
    }
  }

  private static final class Sale {
    String code;
    String line;
    String amount;
    String businessDate;
    boolean reversal;
  }

  private static final class Booking implements Processor<byte[], byte[], byte[], byte[]> {
    private final JsonFactory json = new JsonFactory();
    private final MessageDigest digest = sha256();
    private final Sale sale = new Sale();
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> seen;
    private KeyValueStore<Bytes, byte[]> totals;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      seen = context.getStateStore("seen");
      totals = context.getStateStore("totals");
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      if (firstMs == 0) {
        firstMs = System.currentTimeMillis();
      }
      Headers headers = record.headers();
      byte[] source = value(headers, "ce_source");
      byte[] id = value(headers, "ce_id");
      if (!java.util.Arrays.equals(value(headers, "ce_type"), TYPE)) {
        throw new IllegalArgumentException("another type");
      }
      if (seen.putIfAbsent(identity(source, id), PRESENT) == null) {
        try {
          read(record.value());
        } catch (IOException fault) {
          throw new IllegalArgumentException(fault);
        }
        book(record, id);
      }
      processed.increment();
    }

    private Bytes identity(byte[] source, byte[] id) {
      digest.update(ByteBuffer.allocate(4).putInt(source.length).array());
      digest.update(source);
      digest.update(id);
      return Bytes.wrap(java.util.Arrays.copyOf(digest.digest(), 16));
    }

    private void read(byte[] value) throws IOException {
      try (JsonParser parser = json.createParser(value)) {
        parser.nextToken();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String name = parser.currentName();
          parser.nextToken();
          switch (name) {
            case "customer_code" -> sale.code = parser.getText();
            case "line" -> sale.line = parser.getText();
            case "amount" -> sale.amount = parser.getText();
            case "business_date" -> sale.businessDate = parser.getText();
            case "kind" -> sale.reversal = parser.getText().equals("reversal");
            default -> parser.skipChildren();
          }
        }
      }
    }

    /** Value of a total: eight lines, their sum (fen), tier, version. */
    private void book(Record<byte[], byte[]> record, byte[] id) {
      long fen = fen(sale.amount);
      String year = sale.businessDate.substring(0, 4);
      Bytes key = Bytes.wrap((sale.code + "|" + year).getBytes(StandardCharsets.UTF_8));
      byte[] before = totals.get(key);
      ByteBuffer state = before == null ? ByteBuffer.allocate(80) : ByteBuffer.wrap(before);
      int line = LINE_NUMBER.get(sale.line) * 8;
      long signed = sale.reversal ? -fen : fen;
      long total = state.getLong(64) + signed;
      state.putLong(line, state.getLong(line) + signed).putLong(64, total);
      int tier = state.getInt(72);
      int reached = tier;
      while (!sale.reversal && reached < 4 && total >= THRESHOLDS_FEN[reached]) {
        reached++;
      }
      if (reached > tier) {
        int version = state.getInt(76) + 1;
        state.putInt(72, reached).putInt(76, version);
        forward(record, id, year, tier, reached, version, total);
      }
      totals.put(key, state.array());
    }

    private void forward(
        Record<byte[], byte[]> record, byte[] id, String year, int from, int to, int version, long total) {
      String data =
          "{\"customer_code\":\"" + sale.code + "\",\"scheme\":\"city-default\",\"scheme_version\":1,\"version\":"
              + version + ",\"from_tier\":\"" + TIERS[from] + "\",\"to_tier\":\"" + TIERS[to]
              + "\",\"direction\":\"promotion\",\"reason\":\"threshold_reached\",\"effective_on\":\""
              + sale.businessDate + "\",\"period\":\"" + year + "\",\"total\":\""
              + String.format("%d.%02d", total / 100, total % 100)
              + "\",\"key_account\":true,\"caused_by\":{\"source\":\"/counters/bench\",\"id\":\""
              + new String(id, StandardCharsets.UTF_8) + "\"}}";
      RecordHeaders headers = new RecordHeaders();
      headers.add("content-type", "application/json".getBytes(StandardCharsets.UTF_8));
      headers.add("ce_specversion", "1.0".getBytes(StandardCharsets.UTF_8));
      headers.add("ce_type", "keypost.tiering.tier-changed.v1".getBytes(StandardCharsets.UTF_8));
      headers.add("ce_source", "/tiering".getBytes(StandardCharsets.UTF_8));
      headers.add("ce_id", (sale.code + "|city-default|" + version).getBytes(StandardCharsets.UTF_8));
      context.forward(
          new Record<>(
              sale.code.getBytes(StandardCharsets.UTF_8),
              data.getBytes(StandardCharsets.UTF_8),
              record.timestamp(),
              headers));
    }
  }

  private static byte[] value(Headers headers, String name) {
    Header header = headers.lastHeader(name);
    return header == null ? new byte[0] : header.value();
  }

  private static long fen(String amount) {
    int point = amount.indexOf('.');
    if (point < 0) {
      return Long.parseLong(amount) * 100;
    }
    String decimals = amount.substring(point + 1);
    long rest = Long.parseLong(decimals) * (decimals.length() == 1 ? 10 : 1);
    return Long.parseLong(amount.substring(0, point)) * 100 + rest;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  public static void main(String[] arguments) throws Exception {
    Properties settings = new Properties();
    try (InputStream stream = Files.newInputStream(Path.of(arguments[0]))) {
      settings.load(stream);
    }
    long count = Long.parseLong(arguments[3]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[4]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[5]);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments[6]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    KafkaStreams streams = new KafkaStreams(topology(arguments[1], arguments[2]).build(), settings);
    streams.setUncaughtExceptionHandler(
        fault -> {
          fault.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    streams.start();
    while (streams.state() != KafkaStreams.State.RUNNING) {
      Thread.sleep(20);
    }
    System.out.println("RUNNING");
    while (count == 0) {
      Thread.sleep(1000);
    }
    waitUntilDone(streams, settings, count);
    System.exit(0);
  }

  private static StreamsBuilder topology(String in, String out) {
    StreamsBuilder builder = new StreamsBuilder();
    for (String name : List.of("seen", "totals")) {
      builder.addStateStore(
          Stores.keyValueStoreBuilder(
              Stores.persistentKeyValueStore(name), Serdes.Bytes(), Serdes.ByteArray()));
    }
    builder
        .stream(in, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
        .process(Booking::new, "seen", "totals")
        .to(out, Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
    return builder;
  }

  private static void waitUntilDone(KafkaStreams streams, Properties settings, long count) throws Exception {
    boolean told = false;
    long nextMs = 0;
    while (processed.sum() < count) {
      if (streams.state() == KafkaStreams.State.ERROR) {
        System.exit(3);
      }
      if (firstMs != 0 && !told) {
        told = true;
        System.out.println("FIRST " + firstMs);
      }
      long now = System.currentTimeMillis();
      if (told && now >= nextMs) {
        System.out.println("AT " + now + " " + processed.sum());
        nextMs = now + 250;
      }
      Thread.sleep(10);
    }
    // What is processed counts only once it is committed together with its output.
    try (Admin admin = Admin.create(settings)) {
      String group = settings.getProperty(StreamsConfig.APPLICATION_ID_CONFIG);
      long committed = 0;
      while (committed < count) {
        committed = 0;
        for (OffsetAndMetadata at :
            admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().values()) {
          committed += at.offset();
        }
        Thread.sleep(5);
      }
    }
    System.out.println("DONE " + System.currentTimeMillis() + " " + processed.sum());
  }

  private Tiering() {}
}
