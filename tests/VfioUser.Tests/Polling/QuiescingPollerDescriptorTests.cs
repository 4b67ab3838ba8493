using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>Descriptors of a poller that is disposed while its device is quiescing.</summary>
[Collection(OpenFds.Name)]
public sealed class QuiescingPollerDescriptorTests
{
    [Fact]
    public void Disposing_keeps_nothing_open_but_what_the_device_may_still_signal()
    {
        DisposeInTheMiddle().Quiesced(); // what is made once is made
        OpenFds before = OpenFds.Now();

        using LateAnswer answer = DisposeInTheMiddle();
        int whileUnanswered = before.More().Count;
        answer.Quiesced();

        whileUnanswered.Should().BeLessThanOrEqualTo(1);
        before.More().Should().BeEmpty();
    }

    private static LateAnswer DisposeInTheMiddle()
    {
        QuiescingDevice device = new();
        LateAnswer answer = device.AnswerLater();
        using PollerRig rig = new(served: device);
        using RawClient client = rig.Attach();
        client.SayBytes(RawClient.Message(99, Command.DeviceReset));
        rig.UntilIdle();
        answer.ShouldBeAsked();
        Wait.Start(rig.Poller.Dispose).ShouldEnd();
        return answer;
    }
}
