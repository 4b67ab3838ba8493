namespace VfioUser.Tests.Quiesce;

public class DeviceActivityTests
{
    // as the remarks of the class have it
    private const string Table = """
        Detached   | Running  .         Quiescing  Quiesced  .       .       Stopping  .         .
        Running    | .        Detached  Quiescing  Quiesced  .       .       Stopping  .         .
        Quiescing  | .        .         .          Quiesced  idle    .       .         .         .
        Quiesced   | .        .         .          .         .       idle    Stopping  .         .
        Stopping   | .        .         .          .         .       .       .         Stopped   back
        Stopped    | .        .         .          .         .       .       .         .         back
        """;

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Every_transition_is_in_the_table(bool hasClient, bool isQuiesced)
    {
        string idle = hasClient ? "Running" : "Detached";
        foreach (string row in Table.Split('\n', StringSplitOptions.TrimEntries))
        {
            string[] cells = row.Split([' ', '|'], StringSplitOptions.RemoveEmptyEntries);
            DeviceState from = Enum.Parse<DeviceState>(cells[0]);
            foreach (DeviceTransition transition in Enum.GetValues<DeviceTransition>())
            {
                string to = cells[(int)transition + 1] switch
                {
                    "." => cells[0],
                    "idle" => idle,
                    "back" => isQuiesced ? "Quiesced" : idle,
                    string other => other,
                };
                DeviceActivity.Next(from, transition, hasClient, isQuiesced).ToString().Should().Be(to, "{0} in {1}", transition, from);
            }
        }
    }

    [Fact]
    public void A_stopped_device_is_resumed_only_when_it_has_started()
    {
        DeviceActivity activity = new();
        activity.Attach();
        activity.Answer(QuiesceReason.Migration, quiesced: true);
        activity.Stop();
        (activity.AllowsNotifications(polled: false), activity.AllowsNotifications(polled: true)).Should().Be((false, true));
        activity.StopDone();

        activity.AllowsNotifications(polled: true).Should().BeFalse();
        activity.Resume().Should().BeNull();
        activity.Start();
        activity.Resume().Should().Be(QuiesceReason.Migration);
        activity.State.Should().Be(DeviceState.Running);
    }

    [Fact]
    public void A_device_that_a_client_leaves_quiesced_is_detached_when_it_resumes()
    {
        DeviceActivity activity = new();
        activity.Attach();
        activity.Answer(QuiesceReason.ClientGone, quiesced: true);
        activity.Detach();
        activity.State.Should().Be(DeviceState.Quiesced);

        activity.Resume().Should().Be(QuiesceReason.ClientGone);

        activity.State.Should().Be(DeviceState.Detached);
    }

    [Fact]
    public void A_completed_quiesce_without_a_waiter_is_kept_for_the_next_client()
    {
        DeviceActivity activity = new();
        TaskCompletionSource<bool> answer = new();
        activity.Attach();
        activity.Ask(QuiesceReason.Reset, answer.Task);
        activity.Detach();
        activity.Attach();

        activity.Asked.Should().Be((QuiesceReason.Reset, answer.Task));
        activity.Answer(QuiesceReason.Reset, quiesced: false);

        (activity.Asked, activity.State).Should().Be((null, DeviceState.Running));
    }
}
