using VfioUser.Protocol;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Replaying;

/// <summary>A recorded command of the server's, and the client's reply.</summary>
internal sealed class Expected(Recorded command, int number)
{
    public Recorded Command { get; } = command;

    /// <summary>Number of the record, from 1.</summary>
    public int Number { get; } = number;

    /// <summary>The client's reply; null if it never replied.</summary>
    public Recorded? Answer { get; private set; }

    /// <summary>Whether the server has sent it in the replay.</summary>
    public bool HasArrived { get; set; }

    /// <summary>Whether its data then differed.</summary>
    public bool Differs { get; set; }

    /// <summary>All of them in a client's records, in order.</summary>
    public static List<Expected> Of(IReadOnlyList<(int Number, Recorded Record)> records)
    {
        List<Expected> all = [];
        Dictionary<(Way Socket, ushort Id), Expected> unanswered = [];
        foreach ((int number, Recorded record) in records)
        {
            if (record.Kind != RecordKind.Message)
                continue;
            MessageHeader header = record.Header;
            (Way, ushort) key = (record.Way & Way.Twin, header.MessageId);
            if ((record.Way & Way.ToClient) != 0 && header.IsCommand)
                all.Add(unanswered[key] = new Expected(record, number));
            else if ((record.Way & Way.ToClient) == 0 && header.IsReply && unanswered.Remove(key, out Expected? command))
                command.Answer = record;
        }
        return all;
    }
}
