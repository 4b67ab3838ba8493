namespace VfioUser.Protocol.Tests.Transport;

public sealed class ReceiveBufferTests
{
    private const int Capacity = 64;

    [Fact]
    public void Parsed_bytes_are_used_again()
    {
        ReceiveBuffer buffer = new(Capacity);

        for (int i = 0; i < 100; i++)
            Message(buffer, 40);

        buffer.Bytes.Should().HaveCount(Capacity);
    }

    [Fact]
    public void A_message_that_has_begun_moves_to_where_there_is_room_for_its_rest()
    {
        ReceiveBuffer buffer = new(Capacity);
        Message(buffer, 50);
        Fill(buffer, 10, seed: 9);

        buffer.Reserve(40);

        buffer.Start.Should().Be(0);
        buffer.Unparsed.ToArray().Should().Equal(Frame.Pattern(10, 9));
        buffer.Free.Length.Should().BeGreaterThanOrEqualTo(30);
        buffer.Bytes.Should().HaveCount(Capacity);
    }

    [Fact]
    public void Kept_bytes_stay_where_they_are()
    {
        ReceiveBuffer buffer = new(Capacity);
        Fill(buffer, 30, seed: 1);
        buffer.Consume(30);
        buffer.KeepParsed();
        byte[] inUse = buffer.Bytes;

        for (int i = 0; i < 100; i++)
            Message(buffer, 34);

        buffer.Bytes.Should().BeSameAs(inUse);
        inUse.AsSpan(0, 30).ToArray().Should().Equal(Frame.Pattern(30, 1));
    }

    [Fact]
    public void Kept_bytes_stay_in_the_old_memory_when_there_is_too_little_room_behind_them()
    {
        ReceiveBuffer buffer = new(Capacity);
        Fill(buffer, 40, seed: 1);
        buffer.Consume(30);
        buffer.KeepParsed();
        byte[] inUse = buffer.Bytes;

        buffer.Reserve(40);

        buffer.Bytes.Should().NotBeSameAs(inUse);
        buffer.Unparsed.ToArray().Should().Equal(Frame.Pattern(40, 1).AsSpan(30).ToArray());
        inUse.AsSpan(0, 30).ToArray().Should().Equal(Frame.Pattern(30, 1));
    }

    [Fact]
    public void There_is_always_room_after_unparsed_bytes()
    {
        ReceiveBuffer buffer = new(Capacity);

        for (int i = 0; i < 10; i++)
        {
            buffer.Reserve(16);
            buffer.Free.Length.Should().BePositive();
            buffer.Received(buffer.Free.Length);
        }

        buffer.Unparsed.Length.Should().BeGreaterThan(Capacity);
    }

    [Fact]
    public void Buffer_grows_for_a_large_message_and_shrinks_when_no_more_come()
    {
        ReceiveBuffer buffer = new(Capacity);
        Message(buffer, 1000);
        buffer.Bytes.Length.Should().BeGreaterThanOrEqualTo(1000);

        for (int i = 0; i < 300; i++)
            Message(buffer, 20);

        buffer.Bytes.Should().HaveCount(Capacity);
    }

    [Fact]
    public void Memory_for_a_dirty_bitmap_is_given_back_at_once()
    {
        ReceiveBuffer buffer = new(Capacity);
        Message(buffer, 4 << 20);

        Message(buffer, 20);

        buffer.Bytes.Should().HaveCount(Capacity);
    }

    [Fact]
    public void The_buffer_begins_small_grows_when_filled_and_shrinks_after_small_receives()
    {
        ReceiveBuffer buffer = new(first: 32, Capacity);
        Message(buffer, 20);
        buffer.Bytes.Should().HaveCount(32);

        Fill(buffer, buffer.Free.Length, seed: 1);
        byte[] unparsed = buffer.Unparsed.ToArray();
        buffer.Reserve(16);
        buffer.Bytes.Should().HaveCount(Capacity);
        buffer.Unparsed.ToArray().Should().Equal(unparsed);

        buffer.Consume(unparsed.Length);
        for (int i = 0; i < 20_000; i++)
            Message(buffer, 20);
        buffer.Bytes.Should().HaveCount(32);
    }

    [Fact]
    public void Buffer_stays_large_while_large_messages_come_now_and_then()
    {
        ReceiveBuffer buffer = new(first: 32, Capacity);
        Fill(buffer, 32, seed: 1);
        buffer.Consume(32);
        buffer.Reserve(16);
        byte[] large = buffer.Bytes;

        for (int i = 0; i < 100_000; i++)
        {
            int size = i % 10_000 == 0 ? 48 : 20;
            buffer.Reserve(16);
            Fill(buffer, size, seed: 2);
            buffer.Consume(size);
        }

        buffer.Bytes.Should().BeSameAs(large);
    }

    [Fact]
    public void Buffer_does_not_shrink_under_kept_bytes()
    {
        ReceiveBuffer buffer = new(Capacity);
        Message(buffer, 1000);
        buffer.Reserve(30);
        Fill(buffer, 30, seed: 5);
        buffer.Consume(30);
        buffer.KeepParsed();
        byte[] inUse = buffer.Bytes;

        for (int i = 0; i < 300; i++)
            Message(buffer, 20);

        buffer.Bytes.Should().BeSameAs(inUse);
    }

    private static void Message(ReceiveBuffer buffer, int size)
    {
        buffer.Reserve(16);
        Fill(buffer, 16, seed: 3);
        buffer.Reserve(size);
        Fill(buffer, size - 16, seed: 4);
        buffer.Unparsed.Length.Should().Be(size);
        buffer.Consume(size);
    }

    private static void Fill(ReceiveBuffer buffer, int count, int seed)
    {
        if (buffer.Free.IsEmpty)
            buffer.Reserve(count);
        Frame.Pattern(count, seed).CopyTo(buffer.Free);
        buffer.Received(count);
    }
}
