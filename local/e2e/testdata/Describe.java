import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;

/** Describes topics as Kafka's own consoles do: Describe BOOTSTRAP TOPIC... */
public class Describe {
  public static void main(String[] args) throws Exception {
    List<String> topics = List.of(args).subList(1, args.length);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
      var described = admin.describeTopics(topics).allTopicNames().get();
      for (String topic : new TreeSet<>(described.keySet())) {
        System.out.println(topic + " " + described.get(topic).partitions().size());
      }
    }
  }
}
