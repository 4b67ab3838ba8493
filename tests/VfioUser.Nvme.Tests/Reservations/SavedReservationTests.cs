namespace VfioUser.Nvme.Tests.Reservations;

/// <summary>Bytes that are no reservations, from whatever file or stream they come.</summary>
public class SavedReservationTests
{
    private static readonly HostIdentifier First = new(7, IsExtended: true), Second = new(new UInt128(1, 2), IsExtended: true);

    private static ReservationState Valid => new()
    {
        Incarnation = Guid.NewGuid(),
        Version = 5,
        Generation = 3,
        Type = ReservationType.WriteExclusive,
        Holder = Second,
        Registrants = [new Registrant(First, 1), new Registrant(Second, 2)],
        IsPersistent = true,
    };

    [Fact]
    public void Written_state_is_read_back()
    {
        ReservationState state = Valid;

        ReservationState? read = SavedReservations.Read(SavedReservations.Write(state));

        read.Should().BeEquivalentTo(state);
    }

    [Fact]
    public void Every_prefix_is_refused()
    {
        byte[] bytes = SavedReservations.Write(Valid);

        for (int length = 0; length < bytes.Length; length++)
            SavedReservations.Read(bytes.AsSpan(0, length)).Should().BeNull("{0} bytes are not all of it", length);
        SavedReservations.Read([.. bytes, 0]).Should().BeNull();
    }

    [Fact]
    public void States_that_cannot_be_are_refused()
    {
        ReservationState[] impossible =
        [
            Valid with { Type = (ReservationType)7 },
            Valid with { Holder = null },
            Valid with { Holder = new HostIdentifier(9, true) },
            Valid with { Type = ReservationType.None },
            Valid with { Type = ReservationType.ExclusiveAccessAllRegistrants },
            Valid with { Type = ReservationType.ExclusiveAccessAllRegistrants, Holder = null, Registrants = [] },
            Valid with { Registrants = [new Registrant(Second, 2), new Registrant(Second, 3)] },
            Valid with { Registrants = [new Registrant(Second, 0)] },
            Valid with { Registrants = [new Registrant(Second, 2), new Registrant(new HostIdentifier(0, true), 2)] },
            Valid with { Registrants = [new Registrant(Second, 2), new Registrant(new HostIdentifier(new UInt128(1, 1), false), 2)] },
            Valid with { Registrants = [new Registrant(Second, 2), .. Enumerable.Range(10, 128).Select(host => new Registrant(new HostIdentifier((UInt128)host, true), 1))] },
        ];

        foreach (ReservationState state in impossible)
            SavedReservations.Read(SavedReservations.Write(state)).Should().BeNull("{0}", state);
    }

    [Fact]
    public void Random_bytes_are_read_without_an_exception()
    {
        Random random = new(1);
        byte[] valid = SavedReservations.Write(Valid);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. valid];
            for (int flips = random.Next(1, 6); flips > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);

            if (SavedReservations.Read(bytes) is { } state)
                SavedReservations.Read(SavedReservations.Write(state)).Should().NotBeNull();
        }
    }
}
