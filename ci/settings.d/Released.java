import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The settings of one released version of Kafka, read from its jars by reflection: the classes moved and changed
 * their language from version to version, so nothing of Kafka is compiled against.
 */
final class Released implements Closeable {
  /** A setting: its documentation, and the facts by which versions are compared. */
  record Setting(String doc, Map<String, Object> facts) {}

  final String version;
  final Map<String, Setting> broker;
  final Map<String, Setting> topic;
  final Map<String, Setting> producer;
  final Map<String, Setting> consumer;
  private final URLClassLoader loader;

  /** The version is the file's name, its text the class path. */
  Released(Path classPath) throws Exception {
    version = classPath.getFileName().toString();
    List<URL> urls = new ArrayList<>();
    for (String jar : Files.readString(classPath).strip().split(File.pathSeparator)) {
      urls.add(new File(jar).toURI().toURL());
    }
    loader = new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
    // Kafka finds its validators and default classes by the thread's loader.
    Thread.currentThread().setContextClassLoader(loader);
    broker = settings(configDef("org.apache.kafka.server.config.AbstractKafkaConfig", "kafka.server.KafkaConfig"));
    Map<?, ?> modes = updateModes();
    broker.forEach((name, setting) -> {
      if (modes.containsKey(name)) {
        setting.facts.put("dynamic", modes.get(name));
      }
    });
    Object topics = configDef("org.apache.kafka.storage.internals.log.LogConfig", "kafka.log.LogConfig");
    topic = settings(topics);
    Class<?> synonyms = load("org.apache.kafka.server.config.ServerTopicConfigSynonyms");
    Map<?, ?> servers = synonyms == null ? Map.of() : (Map<?, ?>) synonyms.getField("TOPIC_CONFIG_SYNONYMS").get(null);
    for (Map.Entry<String, Setting> each : topic.entrySet()) {
      Object listed = servers.get(each.getKey());
      String server = listed == null ? serverName(topics, each.getKey()) : listed.toString();
      if (server != null) {
        each.getValue().facts.put("broker", server);
      }
    }
    producer = settings(configDef("org.apache.kafka.clients.producer.ProducerConfig"));
    consumer = settings(configDef("org.apache.kafka.clients.consumer.ConsumerConfig"));
  }

  @Override
  public void close() throws IOException {
    loader.close();
  }

  private Class<?> load(String name) {
    try {
      return Class.forName(name, true, loader);
    } catch (ClassNotFoundException e) {
      return null;
    }
  }

  /** The definition that the first of these classes, or its Scala object, holds. */
  private Object configDef(String... classes) throws Exception {
    Class<?> type = load("org.apache.kafka.common.config.ConfigDef");
    // A topic's definition is of a class of its own, beside which stands that of the brokers' log settings.
    for (boolean special : new boolean[] {true, false}) {
      for (String name : classes) {
        for (String each : List.of(name, name + "$")) {
          Class<?> found = load(each);
          for (Field field : found == null ? new Field[0] : found.getDeclaredFields()) {
            if (type.isAssignableFrom(field.getType()) && (field.getType() != type) == special) {
              field.setAccessible(true);
              return field.get(module(found));
            }
          }
        }
      }
    }
    throw new IllegalStateException(version + ": no definition of settings in " + String.join(", ", classes));
  }

  /** The instance of a Scala object; null for a class of Java. */
  private static Object module(Class<?> found) throws Exception {
    return found.getName().endsWith("$") ? found.getField("MODULE$").get(null) : null;
  }

  private static Object field(Object of, String name) throws Exception {
    for (Class<?> type = of.getClass(); type != null; type = type.getSuperclass()) {
      try {
        Field field = type.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(of);
      } catch (NoSuchFieldException e) {
        // It may be the superclass's.
      }
    }
    return null;
  }

  private static Map<String, Setting> settings(Object configDef) throws Exception {
    Map<?, ?> keys = (Map<?, ?>) configDef.getClass().getMethod("configKeys").invoke(configDef);
    Map<String, Setting> all = new TreeMap<>();
    for (Object key : keys.values()) {
      Map<String, Object> facts = new LinkedHashMap<>();
      String type = field(key, "type").toString().toLowerCase();
      facts.put("type", type);
      Object preset = field(key, "defaultValue");
      // What has no default must be set, or is made of other settings.
      if (preset != null && preset.getClass() != Object.class) {
        facts.put("default", text(preset));
      }
      Object validator = field(key, "validator");
      if (validator != null) {
        valid(validator, facts);
      }
      String doc = Optional.ofNullable((String) field(key, "documentation")).orElse("");
      if (Pattern.compile("(?i)^\\W*deprecated|this (config\\w*|property|setting) (is|has been) deprecated").matcher(doc).find()) {
        facts.put("deprecated", true);
      }
      all.put((String) field(key, "name"), new Setting(sentence(doc), facts));
    }
    return all;
  }

  private static String text(Object value) throws Exception {
    if (value instanceof Collection<?> list) {
      List<String> parts = new ArrayList<>();
      for (Object each : list) {
        parts.add(text(each));
      }
      return String.join(",", parts);
    }
    return value instanceof Class<?> type ? type.getName() : value.toString();
  }

  /** What values a validator takes, as far as it says so in a form that a program can read. */
  private static void valid(Object validator, Map<String, Object> facts) throws Exception {
    switch (validator.getClass().getSimpleName()) {
      case "Range" -> {
        for (String end : List.of("min", "max")) {
          if (field(validator, end) instanceof Number number) {
            facts.put(end, number);
          }
        }
      }
      case "ValidString", "CaseInsensitiveValidString" -> {
        Collection<?> values = (Collection<?>) field(validator, "validStrings");
        facts.put("values", values.stream().map(String::valueOf).sorted().toList());
        if (validator.getClass().getSimpleName().startsWith("Case")) {
          facts.put("any_case", true);
        }
      }
      case "ValidList" -> {
        Object inner = field(validator, "validString");
        // A list of nothing takes any values.
        if (inner != null && !((Collection<?>) field(inner, "validStrings")).isEmpty()) {
          valid(inner, facts);
        }
      }
      case "CompositeValidator" -> {
        for (Object each : (Collection<?>) field(validator, "validators")) {
          valid(each, facts);
        }
      }
      default -> {
        // `[1,...,9] or -1`
        Matcher levels = Pattern.compile("\\[(-?\\d+),\\.\\.\\.,(-?\\d+)\\](?: or (-?\\d+))?").matcher(validator.toString());
        if (levels.matches()) {
          facts.put("min", Long.valueOf(levels.group(1)));
          facts.put("max", Long.valueOf(levels.group(2)));
          if (levels.group(3) != null) {
            facts.put("or", Long.valueOf(levels.group(3)));
          }
        }
      }
    }
  }

  private static final String MARKS =
      "</?(a|b|p|br|i|em|code|ul|ol|li|strong|pre|span|h\\d|t[adhr]\\w*|div)\\b[^>]*>";

  /** The first sentence, without marks of HTML. */
  static String sentence(String doc) {
    String plain = doc.replaceAll(MARKS, "").replaceAll("\\s+", " ").replace("&lt;", "<").replace("&gt;", ">").strip();
    Matcher end = Pattern.compile("(?<!e\\.g|i\\.e|etc)[.!](?= |$)").matcher(plain);
    String first = end.find() ? plain.substring(0, end.end()) : plain;
    return first.length() <= 300 ? first : first.substring(0, first.lastIndexOf(' ', 297)) + " ...";
  }

  private Map<?, ?> updateModes() throws Exception {
    for (String name : List.of("org.apache.kafka.server.config.DynamicBrokerConfig", "kafka.server.DynamicBrokerConfig$")) {
      Class<?> found = load(name);
      if (found != null) {
        return (Map<?, ?>) found.getMethod("dynamicConfigUpdateModes").invoke(module(found));
      }
    }
    // KIP-226 came with 1.1.
    return Map.of();
  }

  /** The broker's setting that is the default of a topic's. */
  private String serverName(Object topics, String name) throws Exception {
    for (Method method : topics.getClass().getMethods()) {
      if (method.getName().equals("serverConfigName")) {
        Object found = method.invoke(topics, name);
        if (found instanceof Optional<?> optional) {
          return (String) optional.orElse(null);
        }
        boolean some = found != null && found.getClass().getSimpleName().equals("Some");
        return some ? (String) found.getClass().getMethod("get").invoke(found) : (found instanceof String s ? s : null);
      }
    }
    return null;
  }

  /** Whether a broker would start with these settings: null, or why it would not. */
  String refusal(Map<String, String> settings) throws Exception {
    Map<String, String> all = new LinkedHashMap<>(settings);
    boolean kraft = broker.containsKey("controller.listener.names") && !version.matches("[0-2]\\..*|3\\.[0-2]\\..*");
    if (kraft) {
      all.put("process.roles", "broker,controller");
      all.put("node.id", "1");
      all.put("controller.quorum.voters", "1@localhost:9093");
      all.put("listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093");
      all.put("controller.listener.names", "CONTROLLER");
    } else {
      all.put("broker.id", "1");
      all.put("zookeeper.connect", "localhost:2181");
    }
    Class<?> config = load("kafka.server.KafkaConfig");
    for (Constructor<?> made : config.getConstructors()) {
      Class<?>[] types = made.getParameterTypes();
      if (types.length == 2 && types[0] == Map.class && types[1] == boolean.class) {
        return answer(() -> made.newInstance(all, false));
      }
      if (types.length == 3 && types[0] == Map.class && types[1] == boolean.class) {
        return answer(() -> made.newInstance(all, false, load("scala.Option").getMethod("empty").invoke(null)));
      }
    }
    throw new IllegalStateException(version + ": no way to make a KafkaConfig");
  }

  /** Whether a topic would be made with these settings: null, or why it would not. */
  String topicRefusal(Map<String, String> settings) throws Exception {
    Properties properties = new Properties();
    properties.putAll(settings);
    for (String name : List.of("org.apache.kafka.storage.internals.log.LogConfig", "kafka.log.LogConfig$")) {
      Class<?> found = load(name);
      for (Method method : found == null ? new Method[0] : found.getMethods()) {
        Class<?>[] types = method.getParameterTypes();
        if (method.getName().equals("validate") && types.length == 1) {
          Object given = types[0] == Properties.class ? properties : settings;
          Object module = module(found);
          return answer(() -> method.invoke(module, given));
        }
      }
    }
    throw new IllegalStateException(version + ": no way to check a topic's settings");
  }

  private interface Trial {
    Object run() throws Exception;
  }

  private static String answer(Trial trial) throws Exception {
    try {
      trial.run();
      return null;
    } catch (InvocationTargetException e) {
      return String.valueOf(e.getCause().getMessage());
    }
  }
}
