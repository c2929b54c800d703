import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What Kafka refuses beyond what its definitions of settings say: tried out, by asking it about the smallest and
 * the greatest numbers. Values that it refuses become a fact of the setting, a pair of settings of which one must not
 * exceed the other a combination.
 */
final class Trials {
  private static final Set<String> NUMBERS = Set.of("int", "long", "short", "double");
  /** Settings that each trial sets itself. */
  private static final Set<String> GIVEN = Set.of("broker.id", "node.id", "reserved.broker.max.id");
  /** The combinations: `broker lower upper`, with their facts. */
  final Map<String, Map<String, Object>> pairs = new TreeMap<>();
  private final Released released;

  Trials(Released released) {
    this.released = released;
  }

  void run() throws Exception {
    Map<String, Released.Setting> all = numbers(released.broker);
    for (Map.Entry<String, Released.Setting> each : all.entrySet()) {
      List<Object> refused = new ArrayList<>();
      for (String value : extremes(each.getValue().facts())) {
        String why = released.refusal(Map.of(each.getKey(), value));
        // What is refused only in some company is not refused as such.
        if (why != null && !why.contains(" only if ") && !isPair(each.getKey(), value, why, all)) {
          refused.add(number(value));
        }
      }
      if (!refused.isEmpty()) {
        each.getValue().facts().put("refused", refused);
      }
    }
    Map<String, Released.Setting> topics = numbers(released.topic);
    for (String lower : topics.keySet()) {
      for (String upper : topics.keySet()) {
        boolean alike = lower.substring(lower.lastIndexOf('.')).equals(upper.substring(upper.lastIndexOf('.')));
        if (alike && !lower.equals(upper) && names(refusalOf(true, lower, 200_000, upper, 100_000), lower, upper)) {
          note(true, lower, upper, 100_000);
        }
      }
    }
  }

  private static Map<String, Released.Setting> numbers(Map<String, Released.Setting> all) {
    Map<String, Released.Setting> numbers = new LinkedHashMap<>(all);
    numbers.entrySet().removeIf(e -> GIVEN.contains(e.getKey()) || !NUMBERS.contains(e.getValue().facts().get("type")));
    return numbers;
  }

  private static Set<String> extremes(Map<String, Object> facts) {
    String most = switch ((String) facts.get("type")) {
      case "int" -> String.valueOf(Integer.MAX_VALUE);
      case "short" -> String.valueOf(Short.MAX_VALUE);
      default -> String.valueOf(Long.MAX_VALUE);
    };
    Object least = facts.get("min");
    Set<String> tries = new LinkedHashSet<>();
    tries.add(least == null ? "-1" : least.toString());
    for (String value : List.of("0", "1")) {
      boolean in = facts.get("max") == null || Double.parseDouble(value) <= Double.parseDouble(facts.get("max").toString());
      if (in && (least == null || Double.parseDouble(value) >= Double.parseDouble(least.toString()))) {
        tries.add(value);
      }
    }
    tries.add(facts.get("max") == null ? most : facts.get("max").toString());
    return tries;
  }

  private static Number number(String value) {
    return value.contains(".") ? (Number) Double.valueOf(value) : (Number) Long.valueOf(value);
  }

  /** Notes that a setting must not exceed another one, if that is why it was refused. */
  private boolean isPair(String name, String value, String why, Map<String, Released.Setting> all) throws Exception {
    Set<String> others = new LinkedHashSet<>();
    Matcher words = Pattern.compile("[a-z]+(\\.[a-z]+)+").matcher(why);
    while (words.find()) {
      if (all.containsKey(words.group()) && !words.group().equals(name)) {
        others.add(words.group());
      }
    }
    boolean found = false;
    for (String other : others) {
      Object preset = all.get(other).facts().get("default");
      if (preset == null) {
        continue;
      }
      long limit = Long.parseLong(preset.toString());
      // Which of them is the lower one shows in whether the other's value or one more or less is taken.
      if (Double.parseDouble(value) > limit && names(refusalOf(false, name, limit + 1, other, limit), name, other)) {
        note(false, name, other, limit);
        found = true;
      } else if (Double.parseDouble(value) < limit && names(refusalOf(false, other, limit, name, limit - 1), other, name)) {
        note(false, other, name, limit);
        found = true;
      }
    }
    return found;
  }

  private void note(boolean topic, String lower, String upper, long limit) throws Exception {
    Map<String, Object> facts = new LinkedHashMap<>();
    if (names(refusalOf(topic, lower, limit, upper, limit), lower, upper)) {
      facts.put("less", true);
    }
    if (refusalOf(topic, lower, limit, upper, 0) == null) {
      facts.put("unless_zero", true);
    }
    pairs.put((topic ? "topic " : "broker ") + lower + " " + upper, facts);
  }

  private String refusalOf(boolean topic, String a, long one, String b, long other) throws Exception {
    Map<String, String> settings = Map.of(a, String.valueOf(one), b, String.valueOf(other));
    return topic ? released.topicRefusal(settings) : released.refusal(settings);
  }

  private static boolean names(String why, String a, String b) {
    return why != null && why.contains(a) && why.contains(b);
  }
}
