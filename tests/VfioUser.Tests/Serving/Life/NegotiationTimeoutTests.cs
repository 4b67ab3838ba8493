using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Clients that connect and stall must not keep others out.</summary>
public sealed class NegotiationTimeoutTests
{
    private static readonly VfioUserServerOptions Impatient = new() { NegotiationTimeout = TimeSpan.FromMilliseconds(500), BusyAfter = Wait.Bound };

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_silent_client_is_disconnected_and_the_next_is_served(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice(), Impatient);
        using RawClient silent = served.Connect();
        using RawClient next = served.Attach();

        silent.ShouldHearTheEnd();
        next.ShouldBeServed();
        served.Log.Has(CapturedLog.NegotiationFailed).Should().BeTrue();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_stops_in_its_first_message_is_cut_off_and_the_next_is_served(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice(), Impatient);
        using RawClient halting = served.Connect();
        halting.SayBytes(RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}")).AsSpan(0, 18));
        using RawClient next = served.Attach();

        halting.ShouldHearTheEnd();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_never_ends_its_first_message_is_cut_off_and_the_next_is_served(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice(), Impatient);
        using RawClient trickling = served.Connect();
        trickling.SayBytes(RawClient.Message(new MessageHeader(1, Command.Version, ProtocolLimits.MaxMessageSize, MessageFlags.Command, 0)));
        using ManualResetEvent never = new(false);
        Task trickle = Wait.Start(() =>
        {
            try
            {
                while (!never.WaitOne(TimeSpan.FromMilliseconds(20)))
                    trickling.SayBytes([0]);
            }
            catch (IOException)
            {
                // cut off
            }
        });

        using RawClient next = served.Attach();

        next.ShouldBeServed();
        trickle.ShouldEnd();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    public void A_client_that_has_negotiated_may_be_silent_for_longer(ServedBy by)
    {
        using Served served = Served.Start(by, new ProbeDevice(), Impatient);
        using RawClient client = served.Attach();
        using Served other = Served.Start(by, new ProbeDevice(), Impatient);
        using RawClient silent = other.Connect();

        silent.ShouldHearTheEnd(); // by now the time is over for both

        client.ShouldBeServed();
    }
}
