import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;

/** One streaming job in SQL, from each topic to its table of files, till it has read what is there. */
public class Peer {
  public static void main(String[] args) throws Exception {
    Map<String, String> topics = new LinkedHashMap<>();
    for (String line : Files.readAllLines(Path.of(System.getenv("PEER_SCHEMA")))) {
      String[] field = line.split("\t");
      String type = field[2].equals("timestamp") ? "timestamp_ltz(3)" : field[2];
      topics.merge(field[0], "`" + field[1] + "` " + type, (all, one) -> all + ", " + one);
    }
    Configuration settings = new Configuration();
    settings.setString("execution.checkpointing.interval", "10s");
    settings.setString("restart-strategy.type", "none"); // what fails is to be seen
    settings.setString("table.local-time-zone", "UTC");
    settings.setString("rest.bind-address", "127.0.0.1");
    settings.setString("rest.address", "127.0.0.1");
    settings.setString("rest.bind-port", "0");
    TableEnvironment flink =
        TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
    StatementSet job = flink.createStatementSet();
    for (Map.Entry<String, String> topic : topics.entrySet()) {
      String name = topic.getKey();
      flink.executeSql("CREATE TABLE from_" + name + " (" + topic.getValue() + """
          , kafka_partition INT METADATA FROM 'partition', kafka_offset BIGINT METADATA FROM 'offset',
            kafka_timestamp TIMESTAMP_LTZ(3) METADATA FROM 'timestamp')
          WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'properties.group.id' = '%s',
            'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
            'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601')
          """.formatted(name, System.getenv("PEER_BROKER"), System.getenv("PEER_GROUP")));
      flink.executeSql("CREATE TABLE to_" + name + " (" + topic.getValue() + """
          , kafka_partition INT, kafka_offset BIGINT, kafka_timestamp TIMESTAMP_LTZ(3))
          WITH ('connector' = 'filesystem', 'path' = '%s/%s', 'format' = 'parquet',
            'parquet.compression' = 'ZSTD', 'parquet.write.int64.timestamp' = 'true')
          """.formatted(System.getenv("PEER_OUT"), name));
      job.addInsertSql("INSERT INTO to_" + name + " SELECT * FROM from_" + name);
    }
    job.execute().await();
  }
}
