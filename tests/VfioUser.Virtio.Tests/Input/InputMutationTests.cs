using System.Runtime.InteropServices;

namespace VfioUser.Virtio.Tests;

/// <summary>Whole sessions of drivers that say anything to a keyboard: a fresh driver is served after each.</summary>
public sealed class InputMutationTests
{
    private const int BuffersPerSession = 2048;

    [Fact]
    public void Thousands_of_wrong_buffers_hurt_nobody() => Run(sessions: 4);

    [Fact]
    [Trait("Category", "Long")]
    public void An_eighth_of_a_million_wrong_buffers_hurt_nobody() => Run(sessions: (125_000 / BuffersPerSession) + 1);

    private static void Run(int sessions)
    {
        for (int seed = 0; seed < sessions; seed++)
        {
            Random random = new(seed);
            using VirtioKeyboard keyboard = new();
            using TestGuest guest = TestGuest.Attach(keyboard, new TestGuestOptions { MemorySize = 64 << 20 });
            WrongDriver driver = new(guest, random, receiving: [0]);

            driver.Run(BuffersPerSession, _ => Message(random), () => Act(keyboard, guest, random));

            VirtioDriver fresh = VirtioDriver.Start(guest);
            ReceiveQueue events = new(fresh, 0, length: InputEvent.Length);
            keyboard.Press(InputKey.A).Should().BeTrue("the driver of session {0} is a fresh one", seed);
            MemoryMarshal.Read<InputEvent>(events.Receive()).Should().Be(new InputEvent(InputEventType.Key, (ushort)InputKey.A, 1));
            MemoryMarshal.Read<InputEvent>(events.Receive()).Should().Be(InputEvent.EndOfReport);
            fresh.ReadNeedsReset().Should().BeFalse();
        }
    }

    private static void Act(VirtioKeyboard keyboard, TestGuest guest, Random random)
    {
        byte[] bytes = new byte[random.Next(1, 9)];
        random.NextBytes(bytes);
        if (random.Next(4) == 0)
            guest.Bar0.Write(0x2000 + random.Next(140), bytes);
        else
            keyboard.Tap(InputKey.LeftShift, (InputKey)(1 + bytes[0] % 100));
    }

    private static byte[] Message(Random random)
    {
        InputEvent status = new(InputEventType.Led, (ushort)random.Next(4), random.Next(2));
        return MemoryMarshal.AsBytes(new ReadOnlySpan<InputEvent>(in status)).ToArray();
    }
}
